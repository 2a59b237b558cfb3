//! Turning PDF files into notes.

use crate::world::templates::JobTemplate;

const FILES: &[&str] = &[
    "Organic chemistry, chapter 4.pdf",
    "Linear algebra - eigenvalues.pdf",
    "History of the printing press.pdf",
    "Microeconomics midterm review.pdf",
    "Cell biology, lecture 11.pdf",
    "Thermodynamics problem set.pdf",
    "Operating systems, scheduling.pdf",
    "Roman law - Übersicht.pdf",
];

pub(crate) const JOBS: &[JobTemplate] = &[
    JobTemplate {
        name: "process-pdf",
        queue: "pdf-ultra-optimized",
        prefix: "",
        digits: 0,
        seconds: (14, 95),
        attempts: 3,
        stages: &[
            "initializing",
            "downloading",
            "extracting_text",
            "checking_cache",
            "generating_notes",
            "generating_notes",
            "generating_quiz",
            "saving",
            "caching",
        ],
        lines: &[],
        errors: &[
            (
                "Failed to download PDF: Object not found",
                "Error: Failed to download PDF: Object not found\n    at StorageService.download (/app/dist/storage/storage.service.js:88:19)\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)\n    at async PdfWorker.process (/app/dist/jobs/pdf-ultra.worker.js:142:24)",
            ),
            (
                "429 Resource has been exhausted (e.g. check quota).",
                "GoogleGenerativeAIFetchError: 429 Resource has been exhausted (e.g. check quota).\n    at handleResponseNotOk (/app/node_modules/@google/generative-ai/dist/index.js:432:11)\n    at async NotesService.generate (/app/dist/notes/notes.service.js:61:22)",
            ),
            (
                "The PDF has no extractable text (scanned pages only)",
                "Error: The PDF has no extractable text (scanned pages only)\n    at extractText (/app/dist/pdf/extract.js:37:11)",
            ),
        ],
        subjects: FILES,
    },
    JobTemplate {
        name: "generate-quiz",
        queue: "ai-quiz",
        prefix: "",
        digits: 0,
        seconds: (8, 40),
        attempts: 3,
        stages: &["initializing", "generating_quiz", "generating_quiz", "saving"],
        lines: &[],
        errors: &[(
            "Model returned malformed JSON after 3 repairs",
            "SyntaxError: Model returned malformed JSON after 3 repairs\n    at parseQuiz (/app/dist/quiz/parse.js:54:13)",
        )],
        subjects: FILES,
    },
];
