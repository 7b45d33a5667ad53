import CNghttp2
import Glibc

/// Owns one `nghttp2_session`: bytes in, events out; commands in, bytes out. It knows no sockets
/// and no gRPC. Confined to the thread (loop) of its owner.
///
///     bytes -> receive -> HTTP2Stream.did… / HTTP2SessionHandler.session…
///     submit… / HTTP2Stream.write -> (once per turn) sessionWantsFlush -> flush -> bytes
///
/// Flow control: what `HTTP2Stream.didReceiveData` got counts against the peer's windows until
/// the layer above calls `consume`. Abuse (resets, pings, settings, empty frames) is counted per
/// connection and ends it with ENHANCE_YOUR_CALM; see `HTTP2Configuration`.
public final class HTTP2Session {
    public enum Role: Sendable {
        case server, client
    }

    let raw: OpaquePointer
    public let role: Role
    unowned(unsafe) let handler: any HTTP2SessionHandler
    private let memory: HTTP2Memory
    /// Of the header block that is arriving.
    @exclusivity(unchecked) private(set) var headerBlock: HeaderBlock?
    /// The same, for what happens once per field.
    @exclusivity(unchecked) private(set) var openBlock: Unmanaged<HeaderBlock>?
    @exclusivity(unchecked) private var blockKind = HTTP2Memory.BlockKind.request
    @exclusivity(unchecked) var configuration: HTTP2Configuration
    /// The loop's buffer while this session flushes.
    @exclusivity(unchecked) var output = ByteQueue(keeping: 0)
    /// Received and not consumed by the layer above.
    public var unread: Int { unreadBytes }
    // Other modules check their accesses to stored properties whatever the attribute says.
    @exclusivity(unchecked) private var unreadBytes = 0
    /// The part of `unread` that the peer's connection window still lacks.
    @exclusivity(unchecked) private var withheld = 0
    /// What the next flush gives back to the connection window.
    @exclusivity(unchecked) private var unconsumed = 0
    @exclusivity(unchecked) private var flushIsScheduled = false
    /// Half of a stream's window: with less consumed the library sends no WINDOW_UPDATE anyway.
    private let streamCredit: Int
    /// Open streams, in no order; this is what keeps them alive.
    @exclusivity(unchecked) private var streams: [HTTP2Stream] = []
    var pingBehindNotice: UInt64?
    private static let unlimited: UInt32 = 0x7fff_ffff
    /// Our first SETTINGS still have to get the stream limit.
    private var announcesLimit: Bool
    /// GOAWAY came: no stream can be opened any more.
    public internal(set) var peerIsLeaving = false
    /// Client: the last request whose headers have been handed out to be written.
    public var lastSentRequest: Int32 { lastRequest }
    @exclusivity(unchecked) var lastRequest: Int32 = 0
    /// The frame that is being sent ends this body for now.
    @exclusivity(unchecked) var restingBody: Unmanaged<HTTP2Stream>?
    /// The peer exceeded a budget; the connection ends after the next flush.
    public internal(set) var abuse: HTTP2Abuse?
    /// The peer has acknowledged our SETTINGS.
    public internal(set) var settingsAreAcknowledged = false
    /// A header block has begun and not ended.
    @exclusivity(unchecked) public internal(set) var isInHeaderBlock = false
    /// HEADERS or DATA were sent since the owner cleared it.
    @exclusivity(unchecked) public var hasSentPayload = false
    /// WINDOW_UPDATE frames that DATA of ours explains.
    @exclusivity(unchecked) var expectedWindowUpdates = 0
    /// PING frames that HEADERS or DATA of ours explain.
    @exclusivity(unchecked) var expectedPings = 0
    /// Streams that were ever opened.
    public var openedStreams: Int { opened }
    @exclusivity(unchecked) private var opened = 0
    /// Streams that closed before the answer was complete (a server has not sent END_STREAM, a
    /// client has not received it).
    public var failedStreams: Int { failed }
    @exclusivity(unchecked) private var failed = 0
    /// DATA left, or came, since the owner took the mark.
    @exclusivity(unchecked) var hasSentBody = false
    @exclusivity(unchecked) var hasReceivedBody = false
    /// What bodies above their watermark hold together.
    public var largeBodyBytes: Int { largeBodies }
    @exclusivity(unchecked) var largeBodies = 0

    /// - Parameters:
    ///   - handler: outlives the session; not retained.
    ///   - memory: shared by the sessions of one loop.
    public init(
        role: Role, configuration: HTTP2Configuration = HTTP2Configuration(),
        handler: any HTTP2SessionHandler, memory: HTTP2Memory = HTTP2Memory()
    ) throws(HTTP2Error) {
        self.role = role
        self.handler = handler
        self.configuration = configuration
        self.memory = memory
        announcesLimit = role == .server
        streamCredit = max(1, Int(configuration.initialStreamWindow) / 2)
        guard let option = SessionOptions.make(configuration) else {
            throw HTTP2Error(NGHTTP2_ERR_NOMEM.rawValue, "nghttp2_option_new")
        }
        defer { nghttp2_option_del(option) }
        var session: OpaquePointer?
        let make = role == .server ? nghttp2_session_server_new3 : nghttp2_session_client_new3
        var functions = memory.library.functions
        // The user data is set below: `self` is not complete yet.
        let code = make(&session, SessionCallbacks.table, nil, option, &functions)
        guard code == 0, let session else { throw HTTP2Error(code, "nghttp2_session_new") }
        raw = session
        nghttp2_session_set_user_data(session, Unmanaged.passUnretained(self).toOpaque())
        try sendSettings()
    }

    deinit {
        nghttp2_session_del(raw)
    }

    private func sendSettings() throws(HTTP2Error) {
        var settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(configuration.initialStreamWindow)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(configuration.maxHeaderListBytes)),
        ]
        if role == .server {
            settings.append(
                nghttp2_settings_entry(
                    settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                    value: HTTP2Session.unlimited))
        } else {
            settings.append(
                nghttp2_settings_entry(
                    settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
        }
        // The library's tree of dependencies costs more than all streams in turn.
        settings.append(
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES.rawValue), value: 1))
        try check(
            nghttp2_submit_settings(
                raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count), "SETTINGS")
        try check(
            nghttp2_session_set_local_window_size(
                raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, configuration.connectionWindow),
            "WINDOW_UPDATE")
    }

    // MARK: Header blocks

    func beginBlock(_ kind: HTTP2Memory.BlockKind) {
        // One is left over when the library found a block invalid.
        endBlock()
        blockKind = kind
        let block = memory.takeBlock(kind, configuration)
        headerBlock = block
        openBlock = .passUnretained(block)
    }

    func endBlock() {
        guard let block = headerBlock else { return }
        headerBlock = nil
        openBlock = nil
        memory.giveBack(block, blockKind)
    }

    func check(_ code: Int32, _ operation: String) throws(HTTP2Error) {
        if code != 0 { throw HTTP2Error(code, operation) }
    }

    /// Sends the connection preface (SETTINGS) without waiting for the peer's.
    public func start() {
        wantFlush()
    }

    // MARK: Bytes

    /// Takes bytes of the peer; events happen inside.
    /// - Throws: when the connection cannot go on; what `flush` still yields (a GOAWAY) may be
    ///   sent before closing.
    public func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP2Error) {
        guard let start = bytes.baseAddress else { return }
        let taken = nghttp2_session_mem_recv(
            raw, start.assumingMemoryBound(to: UInt8.self), bytes.count)
        wantFlush()
        guard taken < 0 else { return }
        if HTTP2Session.floodErrors.contains(taken) { refuse(.flood) }
        throw HTTP2Error(Int32(taken), "bytes of the peer", blame: .peer)
    }

    /// Of the library's own limits; the second is not in the header of a stock 1.52.
    private static let floodErrors = [Int(NGHTTP2_ERR_FLOODED.rawValue), -905]

    /// Serialises what is to be sent, at most `maxOutputBytes` (plus a frame), and hands it over
    /// in one piece. Returns true when there is more: call again once the socket has drained.
    public func flush(_ write: (UnsafeRawBufferPointer) -> Void) throws(HTTP2Error) -> Bool {
        flushIsScheduled = false
        if unconsumed > 0 {
            nghttp2_session_consume_connection(raw, unconsumed)
            unconsumed = 0
        }
        swap(&output, &memory.output)
        defer { swap(&output, &memory.output) }
        var failure: HTTP2Error?
        while output.count < configuration.maxOutputBytes {
            var chunk: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(raw, &chunk)
            guard count > 0, let chunk else {
                if count < 0 { failure = HTTP2Error(Int32(count), "serialising") }
                break
            }
            append(chunk, count)
        }
        let isFull = output.count >= configuration.maxOutputBytes
        if !output.isEmpty {
            write(output.bytes)
            output.removeAll()
        }
        if let failure { throw failure }
        return isFull && nghttp2_session_want_write(raw) != 0
    }

    private func append(_ chunk: UnsafePointer<UInt8>, _ count: Int) {
        output.append(UnsafeRawPointer(chunk), count)
        if announcesLimit { announceLimit() }
    }

    /// The library would end the connection of a client that opens too many streams; the
    /// specification wants the stream refused (RFC 9113 §5.1.2). So the library knows no limit,
    /// `didBeginHeaders` keeps ours, and our SETTINGS, which are the first frame, tell it.
    private func announceLimit() {
        announcesLimit = false
        // 9 bytes of frame header; the third entry's value behind two entries and its identifier.
        output.store(configuration.maxConcurrentStreams, at: 9 + 2 * 6 + 2)
    }

    /// Nothing is left to say in either direction: close the socket.
    public var isFinished: Bool {
        nghttp2_session_want_read(raw) == 0 && nghttp2_session_want_write(raw) == 0
    }

    @inline(__always)
    func wantFlush() {
        if flushIsScheduled { return }
        flushIsScheduled = true
        handler.sessionWantsFlush(self)
    }

    // MARK: Streams

    public var openStreams: Int { streams.count }

    /// Frames that wait inside nghttp2 to be sent: grows while a peer does not read.
    public var queuedFrames: Int { nghttp2_session_get_outbound_queue_size(raw) }

    func add(_ stream: HTTP2Stream, id: Int32) {
        stream.id = id
        stream.link = .passUnretained(self)
        stream.index = streams.count
        opened &+= 1
        streams.append(stream)
        if stream.wasFull { largeBodies += stream.body.count }
    }

    /// Every open stream; `body` must not close one at once (a reset closes it when it is sent).
    public func forEachStream(_ body: (HTTP2Stream) -> Void) {
        for stream in streams { body(stream) }
    }

    func close(_ stream: HTTP2Stream, _ code: HTTP2Code) {
        if stream.wasFull { largeBodies -= stream.body.count }
        if restingBody?.toOpaque() == Unmanaged.passUnretained(stream).toOpaque() {
            restingBody = nil
        }
        let last = streams.removeLast()
        if last !== stream {
            streams[stream.index] = last
            last.index = stream.index
        }
        if role == .server ? !stream.localEnded : !stream.remoteEnded { failed &+= 1 }
        stream.link = nil
        stream.didClose(code)
        stream.id = 0
        handler.sessionDidCloseStream(self)
    }

    /// The connection is gone: every open stream gets `didClose`. The session is of no use then.
    public func abandon(_ code: HTTP2Code) {
        while let stream = streams.last { close(stream, code) }
    }

    // MARK: Flow control

    func consume(_ count: Int, of stream: HTTP2Stream) {
        let count = min(count, stream.unconsumed)
        guard count > 0 else { return }
        stream.unconsumed -= count
        giveBack(count)
        if stream.remoteEnded { return }
        stream.owed += count
        guard stream.owed >= streamCredit else { return }
        nghttp2_session_consume_stream(raw, stream.id, stream.owed)
        stream.owed = 0
        wantFlush()
    }

    /// Gives the connection's share of a stream's unreadBytes bytes back.
    func consumeRest(of stream: HTTP2Stream) {
        giveBack(stream.unconsumed)
        stream.unconsumed = 0
    }

    /// Bytes of a body arrived.
    @inline(__always)
    func didTake(_ count: Int, for stream: HTTP2Stream) {
        hasReceivedBody = true
        stream.unconsumed += count
        unreadBytes += count
        if unreadBytes <= configuration.maxUnreadBytes {
            unconsumed += count
        } else {
            withheld += count
        }
    }

    @inline(__always)
    private func giveBack(_ count: Int) {
        unreadBytes -= count
        guard withheld > 0 else { return }
        let paid = min(withheld, count)
        withheld -= paid
        unconsumed += paid
        wantFlush()
    }

    /// Ends the connection because the peer does too much of something.
    public func refuse(_ what: HTTP2Abuse) {
        guard abuse == nil else { return }
        abuse = what
        goaway(.enhanceYourCalm, debug: what.rawValue)
    }
}
