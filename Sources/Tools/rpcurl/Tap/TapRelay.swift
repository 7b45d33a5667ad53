import Environment
import Loop
import RPC

/// Passes calls on to the upstream, whatever their method, and tells what it sees. Messages stay
/// the bytes they are; a side that does not read holds up the other, as without a relay.
final class TapRelay: @unchecked Sendable {  // confined to the loop of its calls
    private let channel: any Channel
    private let maxMessageBytes: Int
    private let events: BoundedQueue<CallEvent>
    private var calls = 0
    private var running = 0
    private var isStopping = false

    init(_ channel: any Channel, maxMessageBytes: Int, events: BoundedQueue<CallEvent>) {
        self.channel = channel
        self.maxMessageBytes = maxMessageBytes
        self.events = events
    }

    /// Ends the events once the calls that still run have told how they ended.
    func stop() {
        channel.loop.preconditionInLoop()
        isStopping = true
        if running == 0 { events.finish() }
    }

    /// The handler of every call. Its task ends with the call, and its cancellation (the client
    /// went away, the deadline passed) resets the call of the upstream.
    func handle(_ call: ServerCall) async throws {
        calls += 1
        running += 1
        defer {
            running -= 1
            if isStopping, running == 0 { events.finish() }
        }
        let log = CallLog(number: calls, events: events)
        await log.tell(
            .begin(
                method: call.context.method.path, metadata: call.context.metadata,
                timeout: call.context.remaining, peer: call.context.peer.address))
        do {
            let trailers = try await relay(call, log)
            log.tellNow(.end(nil, trailers: trailers, byClient: false))
        } catch {
            let byClient = call.context.isCancelled
            let status =
                error as? RPCError
                ?? RPCError(.cancelled, byClient ? "the client ended the call" : "\(error)")
            log.tellNow(.end(status, trailers: status.metadata, byClient: byClient))
            throw error
        }
    }

    /// - Returns: the trailers of a call that ended with OK.
    private func relay(_ call: ServerCall, _ log: CallLog) async throws -> Metadata {
        var metadata = call.context.metadata
        // Each hop names itself.
        metadata.remove("user-agent")
        let upstream = try await channel.start(
            call.context.method, metadata: metadata,
            options: CallOptions(
                deadline: call.context.deadline, maxResponseBytes: maxMessageBytes))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await TapRelay.passRequests(call, upstream, log) }
            defer { group.cancelAll() }
            let headers = try await upstream.initialMetadata()
            call.context.responseMetadata = headers
            try await call.sendHeaders()
            await log.tell(.headers(headers))
            while let message = try await upstream.receive() {
                await log.tell(.response(message))
                try await call.send(message)
            }
            let trailers = await upstream.trailers
            call.context.trailingMetadata = trailers
            return trailers
        }
    }

    private static func passRequests(
        _ call: ServerCall, _ upstream: ClientCall, _ log: CallLog
    ) async {
        do {
            while let message = try await call.receive() {
                await log.tell(.request(message))
                try await upstream.send(message)
            }
            await log.tell(.halfClose)
            upstream.finish()
        } catch {
            // One of the calls has ended: the side that receives learns how.
        }
    }
}

/// The events of one call of the relay.
private struct CallLog: Sendable {
    let number: Int
    let events: BoundedQueue<CallEvent>
    let start = Deadline.now()

    private func event(_ kind: CallEvent.Kind) -> CallEvent {
        CallEvent(call: number, time: start.duration(to: .now()), kind: kind)
    }

    /// Waits while nobody takes what was told.
    func tell(_ kind: CallEvent.Kind) async { await events.put(event(kind)) }

    func tellNow(_ kind: CallEvent.Kind) { events.putNow(event(kind)) }
}
