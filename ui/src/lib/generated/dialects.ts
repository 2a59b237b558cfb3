// Generated from the table of dialects in crates/core by `cargo xtask bindings`. Do not edit.

/** A setting that only one kind of server knows. */
export interface DialectOption {
  name: string;
  label: string;
  hint: string;
}

/** A kind of server. */
export interface Dialect {
  /** Its name in settings and on the command line. */
  word: string;
  title: string;
  /** What it is and where it usually listens. */
  hint: string;
  /** An address as people would enter it. */
  example: string;
  /** What its key is and where people find it. */
  keyHelp: string;
  /** Whether its servers give keys out to those who sign in with e-mail and password. */
  signsIn: boolean;
  /** Whether its socket is Socket.IO, so that there is a namespace. */
  socketIo: boolean;
  options: readonly DialectOption[];
  /** The ports on which its address usually is. */
  ports: readonly number[];
  /** Paths in an address that only this kind has. */
  paths: readonly string[];
  /** Parts of a host's name that suggest this kind. */
  hostWords: readonly string[];
}

/** All kinds of servers, in the order in which they are offered. */
export const DIALECTS: readonly Dialect[] = [
  {
    "word": "triggerx",
    "title": "TriggerX",
    "hint": "Task stream of a TriggerX database server, usually on port 9002.",
    "example": "https://triggerx.example.com:9002",
    "keyHelp": "The API key of your TriggerX account, as in NEXT_PUBLIC_API_KEY of the web app’s .env file.",
    "signsIn": false,
    "socketIo": false,
    "options": [
      {
        "name": "user",
        "label": "User",
        "hint": "Whose jobs to list without a key: an address, 0x…"
      }
    ],
    "ports": [
      9002
    ],
    "paths": [
      "/api/ws/tasks",
      "/api/ws/stats",
      "/api/ws/health"
    ],
    "hostWords": [
      "triggerx"
    ]
  },
  {
    "word": "study-buddy",
    "title": "AI Study Buddy",
    "hint": "Its API and socket, usually on port 3000.",
    "example": "https://study.example.com",
    "keyHelp": "Sign in, or paste the cookie access_token of the site (in the browser’s developer tools, under Storage).",
    "signsIn": true,
    "socketIo": true,
    "options": [],
    "ports": [
      3000
    ],
    "paths": [
      "/jobs"
    ],
    "hostWords": [
      "study",
      "buddy"
    ]
  },
  {
    "word": "analyzer",
    "title": "Wallet analyzer",
    "hint": "Its API and socket, usually on port 3001.",
    "example": "http://analyzer.example.com:3001",
    "keyHelp": "The API key that you enter in the analyzer’s dashboard; its operator gives it out.",
    "signsIn": false,
    "socketIo": true,
    "options": [
      {
        "name": "framing",
        "label": "Framing",
        "hint": "socket.io or raw"
      }
    ],
    "ports": [
      3001
    ],
    "paths": [
      "/job-progress"
    ],
    "hostWords": [
      "analyzer",
      "analyser",
      "wallet"
    ]
  },
  {
    "word": "kecs",
    "title": "KECS",
    "hint": "ECS tasks on Kubernetes: its API, usually on port 8080.",
    "example": "http://kecs.example.com:8080",
    "keyHelp": "None is needed, unless a proxy in front of it wants a bearer token.",
    "signsIn": false,
    "socketIo": false,
    "options": [
      {
        "name": "cluster",
        "label": "Cluster",
        "hint": "All clusters are watched where empty"
      },
      {
        "name": "region",
        "label": "Region",
        "hint": "Default: us-east-1"
      },
      {
        "name": "admin",
        "label": "Admin URL",
        "hint": "The admin server, which serves the logs, usually on port 8081"
      }
    ],
    "ports": [
      8080
    ],
    "paths": [
      "/ws",
      "/api/ws"
    ],
    "hostWords": [
      "kecs"
    ]
  },
  {
    "word": "bull-board",
    "title": "Better Bull Board",
    "hint": "The address of its web page, usually on port 3000; its socket is found from there.",
    "example": "https://board.example.com",
    "keyHelp": "Sign in, or paste the cookie bbb-token of its web page (in the browser’s developer tools, under Storage).",
    "signsIn": true,
    "socketIo": false,
    "options": [],
    "ports": [
      3000,
      8081
    ],
    "paths": [],
    "hostWords": [
      "bull"
    ]
  },
  {
    "word": "plain-json",
    "title": "Plain JSON",
    "hint": "Any WebSocket that sends {\"id\", \"state\", \"progress\"} when a job changes.",
    "example": "wss://jobs.example.com/updates",
    "keyHelp": "None is needed, unless the server wants a bearer token.",
    "signsIn": false,
    "socketIo": false,
    "options": [],
    "ports": [],
    "paths": [],
    "hostWords": []
  }
];
