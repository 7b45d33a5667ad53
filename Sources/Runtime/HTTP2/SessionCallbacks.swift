import CNghttp2

/// The C callbacks: named functions that find the session and pass on. `user` is the session,
/// which outlives the C object that calls (it deletes it in `deinit`).
enum SessionCallbacks {
    /// Shared by every session, never freed.
    nonisolated(unsafe) static let table: OpaquePointer? = {
        var callbacks: OpaquePointer?
        guard nghttp2_session_callbacks_new(&callbacks) == 0, let callbacks else { return nil }
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, onBeginHeaders)
        nghttp2_session_callbacks_set_on_header_callback(callbacks, onHeader)
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, onFrameReceived)
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, onDataChunk)
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, onStreamClose)
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, onFrameSent)
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, onFrameNotSent)
        nghttp2_session_callbacks_set_send_data_callback(callbacks, onSendData)
        return callbacks
    }()

    @inline(__always)
    private static func with(
        _ user: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> Int32
    ) -> Int32 {
        guard let user else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
        return Unmanaged<HTTP2Session>.fromOpaque(user)._withUnsafeGuaranteedRef(body)
    }

    private static let onBeginHeaders: nghttp2_on_begin_headers_callback = { _, frame, user in
        guard let frame else { return 0 }
        return with(user) { $0.didBeginHeaders(frame) }
    }

    private static let onHeader: nghttp2_on_header_callback = {
        _, frame, name, nameCount, value, valueCount, _, user in
        guard let name, let value else { return 0 }
        return with(user) {
            let goesOn = $0.openBlock?._withUnsafeGuaranteedRef {
                $0.append(name, nameCount, value, valueCount)
            }
            if goesOn ?? true { return 0 }
            if let frame { $0.headersAreTooLarge(frame.pointee.hd.stream_id) }
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
    }

    private static let onFrameReceived: nghttp2_on_frame_recv_callback = { _, frame, user in
        guard let frame else { return 0 }
        return with(user) { $0.didReceive(frame) }
    }

    private static let onDataChunk: nghttp2_on_data_chunk_recv_callback = {
        _, flags, id, bytes, count, user in
        with(user) {
            $0.didReceiveData(
                id, UnsafeRawBufferPointer(start: bytes, count: count),
                endStream: flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0)
        }
    }

    private static let onStreamClose: nghttp2_on_stream_close_callback = { _, id, code, user in
        with(user) { $0.didCloseStream(id, HTTP2Code(rawValue: code)) }
    }

    private static let onFrameSent: nghttp2_on_frame_send_callback = { _, frame, user in
        guard let frame else { return 0 }
        return with(user) { $0.didSend(frame) }
    }

    private static let onFrameNotSent: nghttp2_on_frame_not_send_callback = { _, frame, _, user in
        guard let frame else { return 0 }
        return with(user) { $0.didNotSend(frame) }
    }

    private static let onSendData: nghttp2_send_data_callback = {
        _, _, head, count, source, user in
        guard let head, let stream = source?.pointee.ptr else { return 0 }
        return with(user) { session in
            Unmanaged<HTTP2Stream>.fromOpaque(stream)._withUnsafeGuaranteedRef {
                session.sendBody(of: $0, head: head, count: count)
            }
        }
    }

    /// The data provider of every body: announces what the stream has waiting.
    static let readBody: nghttp2_data_source_read_callback = {
        _, _, _, length, flags, source, user in
        guard let stream = source?.pointee.ptr, let flags, let user else { return 0 }
        return Unmanaged<HTTP2Session>.fromOpaque(user)._withUnsafeGuaranteedRef { session in
            Unmanaged<HTTP2Stream>.fromOpaque(stream)._withUnsafeGuaranteedRef {
                session.announceBody(of: $0, atMost: length, flags)
            }
        }
    }
}
