// Shuts a server's Socket.IO path while the rest of it goes on answering, or all of it.

/**
 * Puts a gate before the listeners of `server`, which must have been attached already.
 * @param {import('node:http').Server} server
 * @param {string} path the Engine.IO path
 */
export function gate(server, path = '/socket.io') {
  /** @type {'open' | 'socket' | 'all'} what is shut */
  let shut = 'open';
  const passes = (request) => shut === 'open' || (shut === 'socket' && !request.url.startsWith(path));
  const upgrades = server.listeners('upgrade');
  const requests = server.listeners('request');
  server.removeAllListeners('upgrade').removeAllListeners('request');
  server.on('upgrade', (request, socket, head) => {
    if (passes(request)) {
      for (const listener of upgrades) listener.call(server, request, socket, head);
    } else if (shut === 'all') {
      socket.destroy();
    } else {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    }
  });
  server.on('request', (request, response) => {
    if (passes(request)) {
      for (const listener of requests) listener.call(server, request, response);
    } else if (shut === 'all') {
      request.socket.destroy();
    } else {
      response.writeHead(503).end();
    }
  });
  return {
    open() {
      shut = 'open';
    },
    /** The socket alone, or `everything`, which looks like a server that is not there. */
    shut({ everything = false } = {}) {
      shut = everything ? 'all' : 'socket';
    },
  };
}

/** Ends every connection to a Socket.IO server without a goodbye. */
export function cut(io) {
  // What Engine.IO keeps of a connection is not public; the WebSocket's own `terminate` is the one
  // way to a TCP reset without a close frame.
  for (const client of Object.values(io.engine.clients)) {
    client.transport?.socket?.terminate?.();
  }
}
