import CNghttp2

/// What a connection tells about itself.
extension HTTP2Session {
    /// Whether DATA left since this was asked last.
    public func takeSentBody() -> Bool {
        defer { hasSentBody = false }
        return hasSentBody
    }

    /// Whether DATA came since this was asked last.
    public func takeReceivedBody() -> Bool {
        defer { hasReceivedBody = false }
        return hasReceivedBody
    }

    /// Bytes that the peer's connection window lets us send.
    public var sendWindow: Int { Int(nghttp2_session_get_remote_window_size(raw)) }

    /// Bytes that our connection window lets the peer send.
    public var receiveWindow: Int { Int(nghttp2_session_get_local_window_size(raw)) }
}
