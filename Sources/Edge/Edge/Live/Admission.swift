import WebSocket

/// A WebSocket that may open.
struct Admission: Sendable {
    let handshake: WebSocketHandshake
    /// The admin's session; nil for the public.
    let session: (id: String, session: EdgeSession)?
}
