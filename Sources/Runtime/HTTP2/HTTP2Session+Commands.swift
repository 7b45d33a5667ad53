import CNghttp2

/// What the layer above may ask for. Nothing is sent before `flush`.
extension HTTP2Session {
    private static func bodyProvider(_ stream: HTTP2Stream) -> nghttp2_data_provider {
        nghttp2_data_provider(
            source: nghttp2_data_source(ptr: Unmanaged.passUnretained(stream).toOpaque()),
            read_callback: SessionCallbacks.readBody)
    }

    /// Server: sends the response headers; the body and trailers follow through the stream.
    public func respond(_ stream: HTTP2Stream, _ fields: HTTP2Fields) {
        var provider = HTTP2Session.bodyProvider(stream)
        _ = fields.withRaw { nghttp2_submit_response(raw, stream.id, $0, $1, &provider) }
        wantFlush()
    }

    /// Server: sends headers that are the whole response ("trailers-only").
    public func respondOnly(_ stream: HTTP2Stream, _ fields: HTTP2Fields) {
        _ = fields.withRaw { nghttp2_submit_response(raw, stream.id, $0, $1, nil) }
        wantFlush()
    }

    /// Client: opens the stream and sends the request headers; the body follows.
    /// - Throws: when the session accepts no new streams (GOAWAY, ids used up).
    public func request(_ stream: HTTP2Stream, _ fields: HTTP2Fields) throws(HTTP2Error) {
        if peerIsLeaving {
            throw HTTP2Error(NGHTTP2_ERR_START_STREAM_NOT_ALLOWED.rawValue, "opening a stream")
        }
        var provider = HTTP2Session.bodyProvider(stream)
        let id = fields.withRaw {
            nghttp2_submit_request(
                raw, nil, $0, $1, &provider, Unmanaged.passUnretained(stream).toOpaque())
        }
        guard id > 0 else { throw HTTP2Error(id, "opening a stream") }
        add(stream, id: id)
        wantFlush()
    }

    /// The library asks for the body again, of which there is more, or the end.
    func provideBody(of stream: HTTP2Stream) {
        if stream.provision == .deferred {
            nghttp2_session_resume_data(raw, stream.id)
        } else if stream.body.isEmpty, let trailers = stream.trailers {
            _ = trailers.withRaw { nghttp2_submit_trailer(raw, stream.id, $0, $1) }
        } else {
            var provider = HTTP2Session.bodyProvider(stream)
            nghttp2_submit_data(
                raw, UInt8(NGHTTP2_FLAG_END_STREAM.rawValue), stream.id, &provider)
        }
        stream.provision = .running
        wantFlush()
    }

    func reset(_ stream: HTTP2Stream, _ code: HTTP2Code) {
        nghttp2_submit_rst_stream(
            raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue)
        wantFlush()
    }

    public func ping(_ payload: UInt64) {
        withUnsafeBytes(of: payload.bigEndian) {
            _ = nghttp2_submit_ping(
                raw, UInt8(NGHTTP2_FLAG_NONE.rawValue),
                $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
        wantFlush()
    }

    /// Server: the first GOAWAY of a graceful end (last id 2^31-1): the peer stops opening. A ping
    /// follows it; when that is answered the peer has heard.
    public func sendShutdownNotice(ping: UInt64) {
        // The library sends pings before everything else: ours waits until the notice has left.
        pingBehindNotice = ping
        nghttp2_submit_shutdown_notice(raw)
        wantFlush()
    }

    /// The final GOAWAY: streams that were opened finish, later ones are refused. With an error
    /// code the connection ends once it is sent.
    public func goaway(_ code: HTTP2Code, debug: String = "") {
        var debug = debug
        debug.withUTF8 { text in
            if code == .noError {
                _ = nghttp2_submit_goaway(
                    raw, UInt8(NGHTTP2_FLAG_NONE.rawValue),
                    nghttp2_session_get_last_proc_stream_id(raw), code.rawValue,
                    text.baseAddress, text.count)
            } else {
                _ = nghttp2_submit_goaway(
                    raw, UInt8(NGHTTP2_FLAG_NONE.rawValue),
                    nghttp2_session_get_last_proc_stream_id(raw), code.rawValue,
                    text.baseAddress, text.count)
                _ = nghttp2_session_terminate_session(raw, code.rawValue)
            }
        }
        wantFlush()
    }

    /// Streams that the peer lets us have open at once.
    public var peerMaxConcurrentStreams: Int {
        Int(
            nghttp2_session_get_remote_settings(
                raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    }

    /// The limit, the peer's or the library's, beyond which such a header block is; nil: it can be
    /// sent. Larger ones would be dropped or refused; small ones everybody takes.
    public func limit(exceededBy fields: HTTP2Fields) -> Int? {
        guard fields.listBytes > 2048 else { return nil }
        let limit = min(
            Int(peerSettings.maxHeaderListBytes), SessionOptions.maxSentHeaderBytes - 64)
        return fields.listBytes > limit ? limit : nil
    }

    /// What the peer's SETTINGS said last, or RFC 9113's defaults.
    public var peerSettings: PeerSettings {
        func value(_ id: nghttp2_settings_id) -> UInt32 {
            nghttp2_session_get_remote_settings(raw, id)
        }
        return PeerSettings(
            maxConcurrentStreams: value(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS),
            initialWindow: value(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE),
            maxFrameSize: value(NGHTTP2_SETTINGS_MAX_FRAME_SIZE),
            maxHeaderListBytes: value(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE))
    }

    public struct PeerSettings: Sendable, Hashable {
        /// `UInt32.max` is no limit.
        public var maxConcurrentStreams: UInt32
        public var initialWindow: UInt32
        public var maxFrameSize: UInt32
        /// `UInt32.max` is no limit.
        public var maxHeaderListBytes: UInt32
    }
}
