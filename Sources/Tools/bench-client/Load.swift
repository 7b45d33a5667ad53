import BenchSchema
import Environment
import Glibc
import Loop
import RPC
import RPCHTTP2

/// A closed loop: as many calls at a time as the plan says, each followed by the next.
/// Confined to the channel's loop.
final class Load: @unchecked Sendable {
    private let plan: LoadPlan
    private let client: Bench.BenchClient
    private let channel: HTTP2Channel
    private let message: Bench.Msg
    @exclusivity(unchecked) private var tally = Tally()
    @exclusivity(unchecked) private var isCounting = false
    @exclusivity(unchecked) private var isOver = false
    @exclusivity(unchecked) private var running = 0
    /// Turns that have not begun, in a run that ends by count.
    @exclusivity(unchecked) private var left: Int

    init(_ plan: LoadPlan, _ channel: HTTP2Channel) {
        self.plan = plan
        self.channel = channel
        left = plan.count ?? .max
        client = Bench.BenchClient(channel)
        var message = Bench.Msg()
        message.data = [UInt8](repeating: UInt8(ascii: "x"), count: plan.payload)
        if plan.mode == .stream { message.n = plan.messages }
        self.message = message
    }

    func start() {
        if plan.count == nil { startClock() } else { beginMeasuring() }
        for _ in 0..<plan.outstanding {
            running += 1
            // Owned by this object, which lives as long as the program: it ends in `workerDidEnd`.
            _ = Task.immediate(executorPreference: channel.loop) { [self] in
                await work()
                workerDidEnd()
            }
        }
    }

    private func startClock() {
        _ = channel.loop.schedule(after: .milliseconds(500)) { [self] in beginMeasuring() }
        let end = Duration.seconds(0.5 + plan.seconds)
        _ = channel.loop.schedule(after: end) { [self] in
            isOver = true
            endMeasuring()
        }
        // A server that hangs must not hang the measurement.
        _ = channel.loop.schedule(after: end + .seconds(10)) { [self] in
            tally.errors += running
            finish()
        }
    }

    private func beginMeasuring() {
        isCounting = true
        tally.begin()
    }

    private func endMeasuring() {
        isCounting = false
        tally.end()
    }

    private func workerDidEnd() {
        running -= 1
        guard running == 0 else { return }
        if isCounting { endMeasuring() }
        finish()
    }

    private func takeTurn() -> Bool {
        if isOver || left == 0 { return false }
        left -= 1
        return true
    }

    private func finish() {
        var line = tally.line(mode: plan.mode.rawValue)
        line.withUTF8 { text in _ = write(STDOUT_FILENO, text.baseAddress, text.count) }
        exit(tally.operations == 0 ? 1 : 0)
    }

    private func work() async {
        while plan.mode == .pingpong ? !isOver && left > 0 : takeTurn() {
            do {
                switch plan.mode {
                case .unary: try await unary()
                case .stream: try await stream()
                case .pingpong: try await pingPong()
                }
            } catch {
                tally.errors += 1
                // No busy loop against a server that is not there.
                if tally.errors > 1000 { return }
            }
        }
    }

    private func unary() async throws {
        let start = channel.loop.now
        let answer = try await client.echo(message)
        count(answer, since: start)
    }

    private func stream() async throws {
        let start = channel.loop.now
        var received: Int32 = 0
        // `for await` makes the runtime look up the task's executor twice per message.
        var answers = try await client.stream(message).makeAsyncIterator()
        while let answer = try await answers.next() {
            received += 1
            if isCounting { tally.count(bytes: answer.data.count) }
        }
        if received != plan.messages {
            tally.errors += 1
        } else if isCounting {
            tally.latency(since: start)
        }
    }

    private func pingPong() async throws {
        let call = try await client.pingPong()
        var answers = call.responses.makeAsyncIterator()
        while takeTurn() {
            let start = channel.loop.now
            try await call.send(message)
            guard let answer = try await answers.next() else {
                tally.errors += 1
                return
            }
            count(answer, since: start)
        }
        call.finish()
        while try await answers.next() != nil {}
    }

    private func count(_ answer: Bench.Msg, since start: Deadline) {
        guard answer.data.count == plan.payload else {
            tally.errors += 1
            return
        }
        guard isCounting else { return }
        tally.count(bytes: answer.data.count)
        tally.latency(since: start)
    }
}
