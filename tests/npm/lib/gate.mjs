// Shuts a Socket.IO server's own path while the rest of its HTTP server goes on answering.

/**
 * Puts a gate before the Socket.IO listeners of `server`, which must have been attached already.
 * @param {import('node:http').Server} server
 * @param {string} path the Engine.IO path
 */
export function gate(server, path = '/socket.io') {
  let open = true;
  const isSocketIo = (request) => request.url.startsWith(path);
  const upgrades = server.listeners('upgrade');
  const requests = server.listeners('request');
  server.removeAllListeners('upgrade').removeAllListeners('request');
  server.on('upgrade', (request, socket, head) => {
    if (open || !isSocketIo(request)) {
      for (const listener of upgrades) listener.call(server, request, socket, head);
    } else {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    }
  });
  server.on('request', (request, response) => {
    if (open || !isSocketIo(request)) {
      for (const listener of requests) listener.call(server, request, response);
    } else {
      response.writeHead(503).end();
    }
  });
  return {
    open() {
      open = true;
    },
    shut() {
      open = false;
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
