import Environment
import HTTP2
import Loop
import RPC

/// A call that may be sent more than once: retried after failures, or hedged (gRFC A6). It keeps
/// the requests and hands them to one stream per attempt until one of these is committed to: the
/// first that gets headers, or the only one when the requests have grown too large to keep.
/// Confined to the channel's loop.
final class CallAttempts: ClientCallTransport, WaitingCall, @unchecked Sendable {
    let call: ClientCall
    private let channel: ChannelCore
    private let metadata: Metadata
    private var options: CallOptions
    private let begun: Deadline
    /// Nil: not known yet.
    private var repetition: Repetition?
    private var maxRequestBytes = Int.max

    private var replay = ReplayBuffer()
    /// False once the requests are too large to be kept: what is under way is the last attempt.
    private var mayRepeat = true
    private var halfClosed = false
    /// Attempts that run; at most one unless the call is hedged.
    private var streams: [ClientStream] = []
    private var committed: ClientStream?
    /// Waits in the channel for its policy.
    var isPending = false
    /// Attempts so far, without those that the server never saw.
    private var started = 0
    private var refusals = 0
    /// Until the next attempt.
    private var timer: LoopTimer?
    private var previous: RPCError?

    private static let maxRefusals = 5

    init(_ call: ClientCall, metadata: Metadata, options: CallOptions, channel: ChannelCore) {
        self.call = call
        self.metadata = metadata
        self.options = options
        self.channel = channel
        begun = channel.loop.now
    }

    /// The policy is known: begins.
    func start(_ config: MethodConfig?) {
        guard !call.hasEnded else { return }
        if let config {
            options.apply(config)
            maxRequestBytes = config.maxRequestBytes ?? .max
            if let timeout = config.timeout { call.tighten(to: begun + timeout) }
        }
        repetition = Repetition(config?.repetition)
        if replay.largest > maxRequestBytes { return refuseRequest(replay.largest) }
        startAttempt()
        guard case .hedge(let policy)? = repetition, policy.delay <= .zero else { return }
        while mayHedge, !call.hasEnded { startAttempt() }
    }

    // MARK: The caller

    func send(_ message: [UInt8], compress: Bool?, of call: ClientCall) -> Bool {
        if message.count > maxRequestBytes {
            refuseRequest(message.count)
            return true
        }
        let message = channel.wire(message, options.compression, compress, call)
        if let committed { return committed.put(message) }
        keep(message)
        var hasRoom = true
        for stream in streams where !stream.put(message) { hasRoom = false }
        guard !mayRepeat else { return hasRoom }
        // Nothing runs: the next attempt takes what is kept.
        guard let furthest = streams.min(by: { $0.waitingBytes < $1.waitingBytes }) else {
            return false
        }
        commit(to: furthest)
        return hasRoom
    }

    private func keep(_ message: WireMessage) {
        replay.append(message)
        channel.replayBytes += message.bytes.count
        if replay.bytes > channel.configuration.maxReplayBytesPerCall
            || channel.replayBytes > channel.configuration.maxReplayBytes
        {
            mayRepeat = false
        }
    }

    private func refuseRequest(_ count: Int) {
        finish(.messageTooLarge(count, limit: maxRequestBytes))
    }

    func halfClose(_ call: ClientCall) {
        halfClosed = true
        if let committed { return committed.endBody(trailers: nil) }
        for stream in streams { stream.endBody(trailers: nil) }
    }

    func clientCall(_ call: ClientCall, didConsume bytes: Int, messages: Int) {
        committed?.clientCall(call, didConsume: bytes, messages: messages)
    }

    func cancel(_ call: ClientCall) {
        channel.calls.failed &+= 1
        letGo()
    }

    var situation: String? {
        let stream = committed ?? streams.first
        let now = stream?.situation ?? (streams.isEmpty ? "waits to be sent again" : nil)
        guard let previous else { return now }
        let attempts = started > 1 ? "attempt \(started)" : nil
        let before = "the one before: \(previous)"
        return [attempts, now, before].compactMap { $0 }.joined(separator: ", ")
    }

    // MARK: Attempts

    private func startAttempt() {
        started += 1
        call.attemptCount = started
        send(attempt: started)
    }

    private func send(attempt number: Int) {
        let stream = ClientStream(
            call, metadata: metadata, options: options, channel: channel, attempts: self,
            previousAttempts: number - 1)
        streams.append(stream)
        let hasRoom = replay.write(to: stream)
        if halfClosed { stream.endBody(trailers: nil) }
        if !mayRepeat { commit(to: stream) }
        if hasRoom { call.didDrain() }
        scheduleHedge()
        channel.open(stream)
    }

    /// The others are cancelled, and nothing need be kept any more.
    private func commit(to stream: ClientStream) {
        committed = stream
        let others = streams
        streams = []
        letGo()
        for other in others where other !== stream { other.abandon() }
    }

    private func letGo() {
        channel.forget(self)
        timer?.cancel()
        timer = nil
        channel.replayBytes -= replay.bytes
        replay = ReplayBuffer()
        let running = streams
        streams = []
        for stream in running { stream.abandon() }
        guard call.hasEnded else { return }
        committed?.abandon()
        committed = nil
    }

    func finish(_ error: RPCError?, trailers: Metadata = Metadata()) {
        var error = error
        if started > 1, let previous, let last = error {
            let story = "attempt \(started), the one before: \(previous)"
            error?.cause = [last.cause, story].compactMap { $0 }.joined(separator: "; ")
        }
        if !call.hasEnded { channel.count(error) }
        call.end(error, trailers: trailers)
        letGo()
    }

    // MARK: Streams

    func streamDidDrain(_ stream: ClientStream) {
        if committed == nil, streams.contains(where: \.isFull) { return }
        call.didDrain()
    }

    /// Headers came: this attempt's answer is the call's.
    func streamDidAnswer(_ stream: ClientStream, _ metadata: inout Metadata) {
        if committed == nil { commit(to: stream) }
        if started > 1 {
            metadata.append(unchecked: "grpc-previous-rpc-attempts", .text("\(started - 1)"))
        }
    }

    /// The server did not process it. The call is sent again, and this does not count.
    /// False: too often.
    func streamWasRefused(_ stream: ClientStream) -> Bool {
        guard committed == nil, refusals < CallAttempts.maxRefusals,
            let index = streams.firstIndex(where: { $0 === stream })
        else { return false }
        refusals += 1
        streams.remove(at: index)
        let number = started
        // The refused stream is still on the stack.
        channel.loop.execute { [self] in
            if !call.hasEnded, committed == nil { send(attempt: number) }
        }
        return true
    }

    func streamDidEnd(_ stream: ClientStream, _ error: RPCError?, _ trailers: Metadata) {
        if committed === stream {
            count(error, .none)
            return finish(error, trailers: trailers)
        }
        guard let index = streams.firstIndex(where: { $0 === stream }) else { return }
        streams.remove(at: index)
        let pushback = Pushback(trailers)
        count(error, pushback)
        guard let error, repeats(after: error, pushback) else {
            return finish(error, trailers: trailers)
        }
        previous = error
    }

    private func count(_ error: RPCError?, _ pushback: Pushback) {
        guard let error else {
            channel.throttle?.succeeded()
            return
        }
        if pushback == .stop || repetition?.codes.contains(error.code) == true {
            channel.throttle?.failed()
        }
    }

    /// False: this failure is the call's.
    private func repeats(after error: RPCError, _ pushback: Pushback) -> Bool {
        guard let repetition, !channel.isClosed, repetition.codes.contains(error.code) else {
            return false
        }
        switch repetition {
        case .once: return false
        case .retry(let policy, var backoff):
            guard mayRepeat, started < policy.limit, !channel.isThrottled else { return false }
            let delay: Duration
            switch pushback {
            case .stop: return false
            case .after(let duration):
                backoff.reset()
                delay = duration
            case .none: delay = backoff.delay(random: .random(in: 0..<1))
            }
            self.repetition = .retry(policy, backoff)
            timer = channel.loop.schedule(after: delay) { [self] in
                timer = nil
                if !call.hasEnded { startAttempt() }
            }
            return true
        case .hedge:
            return hedges(after: pushback)
        }
    }

    // MARK: Hedging

    private var mayHedge: Bool {
        guard case .hedge(let policy)? = repetition else { return false }
        return committed == nil && mayRepeat && started < policy.limit && !channel.isThrottled
    }

    private func scheduleHedge(after pushback: Duration? = nil) {
        guard mayHedge, case .hedge(let policy)? = repetition else { return }
        let delay = pushback ?? policy.delay
        guard pushback != nil || delay > .zero else { return }
        timer?.cancel()
        timer = channel.loop.schedule(after: delay) { [self] in
            timer = nil
            if call.hasEnded { return }
            if mayHedge { startAttempt() } else { giveUpIfIdle() }
        }
    }

    /// A failure that is not fatal brings the next attempt forward. False: nothing else runs or
    /// will.
    private func hedges(after pushback: Pushback) -> Bool {
        switch pushback {
        case .stop:
            timer?.cancel()
            timer = nil
            if case .hedge(var policy)? = repetition {
                policy.limit = started
                repetition = .hedge(policy)
            }
        case .after(let duration):
            scheduleHedge(after: duration)
        case .none:
            timer?.cancel()
            timer = nil
            if mayHedge {
                // The stream that failed is still on the stack.
                channel.loop.execute { [self] in
                    if mayHedge, !call.hasEnded { startAttempt() } else { giveUpIfIdle() }
                }
                return true
            }
        }
        return !streams.isEmpty || timer != nil
    }

    private func giveUpIfIdle() {
        guard committed == nil, streams.isEmpty, timer == nil, !call.hasEnded else { return }
        finish(previous)
    }
}
