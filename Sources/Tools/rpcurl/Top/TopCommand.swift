import Environment
import Loop
import Protobuf
import RPC

/// `top`: what a process is doing, again and again, by grpc.channelz.v1.
struct TopCommand {
    private let session: Session
    private var settings: Settings { session.settings }

    init(_ session: Session) {
        self.session = session
    }

    /// Ends by Ctrl-C, `-once` or `-duration`.
    /// - Throws: `RPCError` when the first question fails; later ones are asked again.
    func run() async throws {
        let sampler = try TopSampler(session)
        let end = settings.duration.map { Deadline.after($0) }
        var former: TopSample?
        var looks = 0
        while true {
            do {
                let sample = try await sampler.sample()
                session.markReached()
                looks += 1
                try show(TopReport(sample, after: former), looks)
                former = sample
            } catch let error as RPCError where error.code == .unimplemented {
                throw Failure(
                    "the server has no grpc.channelz.v1.Channelz service (UNIMPLEMENTED)")
            } catch let error as RPCError {
                if Task.isCancelled { return }
                guard former != nil, session.deadline?.hasPassed != true else { throw error }
                try session.output.note(
                    "rpcurl: \(error.code.name): \(error.cause ?? error.message); asking again")
            }
            if settings.top.once { return }
            let pause = min(settings.top.interval, end?.remaining ?? settings.top.interval)
            do {
                try await session.loop.sleep(for: pause)
            } catch {
                // Ctrl-C is how a person leaves.
                return
            }
            if let end, end.hasPassed { return }
        }
    }

    private func show(_ report: TopReport, _ look: Int) throws {
        let address = session.address?.text ?? ""
        let now = Instant.now().rfc3339
        if settings.json {
            let object = report.json([
                ("address", .string(address)), ("time", .string(now)), ("look", .number("\(look)")),
            ])
            return try session.output.line(
                JSONText.layout(object, compact: settings.compact))
        }
        let lines = report.lines("\(address)  \(now)", rows: settings.top.rows)
        // On a terminal each picture takes the place of the one before.
        let isLive = session.output.isTerminal && !settings.top.once
        let start = isLive ? "\u{1B}[H\u{1B}[2J" : ""
        let gap = isLive || settings.top.once ? "" : "\n"
        try session.output.line(start + lines.joined(separator: "\n") + gap)
    }
}
