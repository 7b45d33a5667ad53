import CNghttp2

/// The C callbacks of a session, in its own words. All run inside `receive` or `flush`.
extension HTTP2Session {
    private static let endStream = UInt8(NGHTTP2_FLAG_END_STREAM.rawValue)
    private static let ack = UInt8(NGHTTP2_FLAG_ACK.rawValue)

    private func stream(_ id: Int32) -> Unmanaged<HTTP2Stream>? {
        nghttp2_session_get_stream_user_data(raw, id).map { .fromOpaque($0) }
    }

    func didBeginHeaders(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        let category = frame.pointee.headers.cat
        beginBlock(
            category == NGHTTP2_HCAT_REQUEST
                ? .request : category == NGHTTP2_HCAT_HEADERS ? .trailers : .response)
        isInHeaderBlock = true
        guard role == .server, category == NGHTTP2_HCAT_REQUEST else { return 0 }
        let id = frame.pointee.hd.stream_id
        guard openStreams < Int(configuration.maxConcurrentStreams),
            let stream = handler.sessionDidOpenStream(self)
        else {
            handler.sessionDidRefuseStream(self)
            nghttp2_submit_rst_stream(
                raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, HTTP2Code.refusedStream.rawValue)
            return 0
        }
        add(stream, id: id)
        nghttp2_session_set_stream_user_data(
            raw, id, Unmanaged.passUnretained(stream).toOpaque())
        return 0
    }

    func didReceive(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        switch UInt32(frame.pointee.hd.type) {
        case NGHTTP2_DATA.rawValue:
            didReceiveDataFrame(frame)
        case NGHTTP2_HEADERS.rawValue:
            didReceiveHeaders(frame)
        case NGHTTP2_SETTINGS.rawValue:
            guard frame.pointee.hd.flags & HTTP2Session.ack == 0 else {
                settingsAreAcknowledged = true
                break
            }
            guard configuration.settings.spend() else {
                refuse(.settings)
                break
            }
            handler.sessionDidReceiveSettings(self)
        case NGHTTP2_PING.rawValue:
            didReceivePing(frame)
        case NGHTTP2_GOAWAY.rawValue:
            peerIsLeaving = true
            let goaway = frame.pointee.goaway
            let debug = UnsafeBufferPointer(
                start: goaway.opaque_data, count: min(goaway.opaque_data_len, 256))
            handler.session(
                self, didReceiveGoawayAfter: goaway.last_stream_id,
                code: HTTP2Code(rawValue: goaway.error_code),
                debug: String(decoding: debug, as: UTF8.self))
        case NGHTTP2_RST_STREAM.rawValue:
            // A server that resets calls of ours ends those, and nothing else.
            let isOurs = role == .client && stream(frame.pointee.hd.stream_id) != nil
            if !isOurs, !configuration.resets.spend() { refuse(.resets) }
        case NGHTTP2_WINDOW_UPDATE.rawValue:
            if expectedWindowUpdates > 0 {
                expectedWindowUpdates -= 1
            } else if !configuration.windowUpdates.spend() {
                refuse(.windowUpdates)
            }
        default:
            break
        }
        return 0
    }

    private func didReceiveHeaders(_ frame: UnsafePointer<nghttp2_frame>) {
        isInHeaderBlock = false
        guard let block = headerBlock else { return }
        block.end()
        defer { endBlock() }
        if role == .client, block.isInformational, !configuration.emptyFrames.spend() {
            return refuse(.emptyFrames)
        }
        guard let stream = stream(frame.pointee.hd.stream_id) else { return }
        let ended = frame.pointee.hd.flags & HTTP2Session.endStream != 0
        stream._withUnsafeGuaranteedRef { stream in
            if ended { stream.remoteEnded = true }
            stream.didReceiveHeaders(block, endStream: ended)
            if ended { stream.didReceiveEnd() }
        }
    }

    private func didReceiveDataFrame(_ frame: UnsafePointer<nghttp2_frame>) {
        let ended = frame.pointee.hd.flags & HTTP2Session.endStream != 0
        if frame.pointee.hd.length <= frame.pointee.data.padlen, !ended {
            if !configuration.emptyFrames.spend() { refuse(.emptyFrames) }
            return
        }
        guard ended, let stream = stream(frame.pointee.hd.stream_id) else { return }
        stream._withUnsafeGuaranteedRef { stream in
            stream.remoteEnded = true
            stream.didReceiveEnd()
        }
    }

    func didReceiveData(
        _ id: Int32, _ bytes: UnsafeRawBufferPointer, endStream: Bool
    ) -> Int32 {
        guard let stream = stream(id) else {
            nghttp2_session_consume_connection(raw, bytes.count)
            return 0
        }
        stream._withUnsafeGuaranteedRef { stream in
            if endStream { stream.remoteEnded = true }
            didTake(bytes.count, for: stream)
            stream.didReceiveData(bytes, endStream: endStream)
        }
        return 0
    }

    private func didReceivePing(_ frame: UnsafePointer<nghttp2_frame>) {
        let data = frame.pointee.ping.opaque_data
        if frame.pointee.hd.flags & HTTP2Session.ack != 0 {
            let payload = withUnsafeBytes(of: data) {
                UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self))
            }
            handler.session(self, didReceivePingAck: payload)
        } else if expectedPings == 0, !configuration.pings.spend() {
            refuse(.pings)
        } else {
            expectedPings = max(0, expectedPings - 1)
            handler.sessionDidReceivePing(self)
        }
    }

    /// The rest of the block is not looked at, and the library resets the stream.
    func headersAreTooLarge(_ id: Int32) {
        stream(id)?._withUnsafeGuaranteedRef { $0.headersAreTooLarge = true }
    }

    func didCloseStream(_ id: Int32, _ code: HTTP2Code) -> Int32 {
        guard let reference = stream(id) else { return 0 }
        nghttp2_session_set_stream_user_data(raw, id, nil)
        let stream = reference.takeUnretainedValue()
        consumeRest(of: stream)
        close(stream, code)
        return 0
    }

    // MARK: Sending

    func didSend(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        let header = frame.pointee.hd
        switch UInt32(header.type) {
        case NGHTTP2_RST_STREAM.rawValue:
            didSendReset(HTTP2Code(rawValue: frame.pointee.rst_stream.error_code))
        case NGHTTP2_GOAWAY.rawValue:
            if let payload = pingBehindNotice { ping(payload) }
            pingBehindNotice = nil
        case NGHTTP2_HEADERS.rawValue, NGHTTP2_DATA.rawValue:
            if let stream = restingBody {
                stream._withUnsafeGuaranteedRef { didRest($0, header.stream_id) }
            }
            hasSentPayload = true
            expectedWindowUpdates += 2
            expectedPings = min(expectedPings + 1, 1000)
            guard role == .server else {
                lastRequest = max(lastRequest, header.stream_id)
                break
            }
            guard header.flags & HTTP2Session.endStream != 0 else { break }
            didEndLocally(header.stream_id)
        default:
            break
        }
        return 0
    }

    /// The library drops what it cannot send, a header block beyond its limit for one, and tells
    /// nobody: the peer would wait for ever.
    func didNotSend(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        let header = frame.pointee.hd
        guard role == .server, UInt32(header.type) == NGHTTP2_HEADERS.rawValue,
            stream(header.stream_id) != nil
        else { return 0 }
        nghttp2_submit_rst_stream(
            raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), header.stream_id,
            HTTP2Code.internalError.rawValue)
        return 0
    }

    /// A frame of that stream has left; it was the end of the body for now if it is this one's.
    @inline(__always)
    private func didRest(_ stream: HTTP2Stream, _ id: Int32) {
        guard stream.id == id else { return }
        restingBody = nil
        stream.bodyDidRest()
    }

    /// CANCEL and NO_ERROR are our own wish; the rest the peer made us send.
    private func didSendReset(_ code: HTTP2Code) {
        guard role == .server, code != .cancel, code != .noError else { return }
        if code == .refusedStream {
            if !configuration.refusedStreams.spend() { refuse(.refusedStreams) }
        } else if !configuration.forcedResets.spend() {
            refuse(.forcedResets)
        }
    }

    /// Our side is complete: a client that is still sending is told to stop (RFC 9113 §8.1).
    private func didEndLocally(_ id: Int32) {
        guard let stream = stream(id) else { return }
        stream._withUnsafeGuaranteedRef { stream in
            stream.localEnded = true
            guard !stream.remoteEnded else { return }
            nghttp2_submit_rst_stream(
                raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, HTTP2Code.noError.rawValue)
        }
    }

    func announceBody(
        of stream: HTTP2Stream, atMost length: Int, _ flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        let waiting = stream.body.count
        if waiting == 0, !stream.bodyEnded {
            stream.provision = .deferred
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        if waiting > 0 { flags.pointee |= UInt32(NGHTTP2_DATA_FLAG_NO_COPY.rawValue) }
        if waiting <= length {
            flags.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue)
            if !stream.bodyEnded {
                // To be asked again only to say that there is nothing costs more than to begin
                // anew when there is.
                flags.pointee |= UInt32(NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue)
                restingBody = .passUnretained(stream)
            } else if let trailers = stream.trailers {
                flags.pointee |= UInt32(NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue)
                _ = trailers.withRaw { nghttp2_submit_trailer(raw, stream.id, $0, $1) }
            }
        }
        return min(waiting, length)
    }

    func sendBody(of stream: HTTP2Stream, head: UnsafePointer<UInt8>, count: Int) -> Int32 {
        if output.count >= configuration.maxOutputBytes { return NGHTTP2_ERR_WOULDBLOCK.rawValue }
        output.append(UnsafeRawPointer(head), 9)
        if let start = stream.body.bytes.baseAddress { output.append(start, count) }
        stream.body.removeFirst(count)
        stream.hasProgressed = true
        hasSentBody = true
        if stream.wasFull { didSendPart(of: stream, count) }
        return 0
    }

    private func didSendPart(of stream: HTTP2Stream, _ count: Int) {
        largeBodies -= count
        guard stream.body.count < HTTP2Stream.bodyHighWatermark / 2 else { return }
        largeBodies -= stream.body.count
        stream.wasFull = false
        stream.didDrainBody()
    }
}
