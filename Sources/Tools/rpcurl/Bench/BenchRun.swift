import Environment
import Loop
import Protobuf
import RPC

/// One load run. Its state is confined to the loop on which its tasks run.
final class BenchRun: @unchecked Sendable {
    /// Calls that still run when the time is over get so much more.
    private static let grace = Duration.seconds(10)

    private let channels: [any Channel]
    private let method: MethodDescriptor
    private let requests: [RequestTemplate]
    private let settings: Settings
    private let loop: EventLoop
    private let signal: LoopSignal
    private let start = Deadline.now()
    private var begun = 0
    private var counted = 0
    private var outstanding = 0
    private var isOver = false
    private var lastEnd: Deadline
    private(set) var result = BenchResult()
    /// What ended the run early.
    private(set) var failure: Failure?

    init(
        _ channels: [any Channel], _ method: MethodDescriptor, _ requests: [RequestTemplate],
        _ settings: Settings, _ loop: EventLoop
    ) {
        self.channels = channels
        self.method = method
        self.requests = requests
        self.settings = settings
        self.loop = loop
        signal = LoopSignal(loop: loop)
        lastEnd = start
    }

    private var bench: BenchSettings { settings.bench }
    private var countingStart: Deadline { start + bench.warmup }

    /// When no more calls are begun; with -n alone the count decides.
    private var end: Deadline {
        if bench.count != nil, settings.duration == nil { return .distantFuture }
        return countingStart + (settings.duration ?? .seconds(10))
    }

    /// Runs to the end. Cancelling the task ends the run early; what was counted stays.
    func run() async {
        await withTaskCancellationHandler {
            if let rate = bench.rate { await openLoop(rate) } else { await closedLoop() }
        } onCancel: {
            loop.execute { [self] in
                isOver = true
                signal.fire()
            }
        }
        let counting = countingStart
        result.elapsed = max(.zero, counting.duration(to: min(max(lastEnd, counting), .now())))
    }

    // MARK: Loops

    private func openLoop(_ rate: Double) async {
        let pacer = Pacer(start: start, rate: rate)
        await withDiscardingTaskGroup { group in
            let (loop, signal, end) = (loop, signal, end)
            group.addTask(executorPreference: loop) { await pacer.run(on: loop, signal) }
            var index = 0
            while !isOver {
                await signal.wait()
                let now = Deadline.now()
                while !isOver, case let due = pacer.due(index), due <= now {
                    index += 1
                    guard due < end, hasMore else {
                        isOver = true
                        break
                    }
                    let isCounted = due >= countingStart
                    guard outstanding < bench.maxOutstanding else {
                        if isCounted { result.dropped += 1 }
                        continue
                    }
                    begin(isCounted)
                    group.addTask(executorPreference: loop) { [self, begun] in
                        await call(begun, from: due, isCounted)
                    }
                }
            }
            pacer.stop()
            await finish()
            group.cancelAll()
        }
    }

    private func closedLoop() async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<bench.concurrency {
                group.addTask(executorPreference: loop) { [self] in
                    while !isOver, case let now = Deadline.now(), now < end, hasMore {
                        let isCounted = now >= countingStart
                        begin(isCounted)
                        await call(begun, from: now, isCounted)
                    }
                    isOver = true
                    signal.fire()
                }
            }
            while !isOver { await signal.wait() }
            await finish()
            group.cancelAll()
        }
    }

    private var hasMore: Bool { bench.count.map { counted < $0 } ?? true }

    private func begin(_ isCounted: Bool) {
        begun += 1
        outstanding += 1
        if isCounted { counted += 1 }
    }

    /// Waits for the calls that run.
    private func finish() async {
        let limit = loop.schedule(after: BenchRun.grace) { [self] in signal.fire() }
        let deadline = Deadline.after(BenchRun.grace)
        while outstanding > 0, !Task.isCancelled, !deadline.hasPassed { await signal.wait() }
        limit.cancel()
    }

    // MARK: One call

    private func call(_ number: Int, from planned: Deadline, _ isCounted: Bool) async {
        let begin = Deadline.now()
        var status: RPCError?
        var messages = 0
        do {
            messages = try await perform(number)
        } catch let error as RPCError {
            status = error
        } catch let error as Failure {
            failure = failure ?? error
            isOver = true
        } catch {
            status = RPCError(.cancelled, "\(error)")
        }
        outstanding -= 1
        if outstanding == 0 || isOver { signal.fire() }
        guard isCounted else { return }
        // Ctrl-C reaches the calls before it reaches `isOver`.
        if isOver || Task.isCancelled, status?.code == .cancelled {
            result.unfinished += 1
            return
        }
        let now = Deadline.now()
        lastEnd = max(lastEnd, now)
        if let status {
            result.fail(status)
        } else {
            result.succeeded += 1
        }
        result.messages += messages
        result.latency.record(planned.duration(to: now).nanoseconds)
        result.serviceTime.record(begin.duration(to: now).nanoseconds)
        result.lateness.record(planned.duration(to: begin).nanoseconds)
    }

    /// - Returns: how many messages came.
    private func perform(_ number: Int) async throws -> Int {
        let channel = channels[number % channels.count]
        let options = CallOptions(
            deadline: settings.maxTime.map { .after($0) },
            maxResponseBytes: settings.maxMessageBytes)
        if method.kind == .unary {
            let message = try requests[number % requests.count].message(number)
            _ = try await channel.unary(
                method, message, metadata: settings.callMetadata, options: options)
            return 1
        }
        let call = try await channel.start(
            method, metadata: settings.callMetadata, options: options)
        let sent = method.kind.clientStreams ? requests : [requests[number % requests.count]]
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for request in sent {
                    let message = try request.message(number)
                    do { try await call.send(message) } catch { return }
                }
                call.finish()
            }
            var count = 0
            while try await call.receive() != nil { count += 1 }
            try await group.waitForAll()
            return count
        }
    }
}
