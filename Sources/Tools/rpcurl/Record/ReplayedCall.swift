import Environment
import Loop
import RPC
import RPCHTTP2

/// One recorded call, made again.
struct ReplayedCall {
    struct Answer: Sendable {
        /// Nil for OK.
        var error: RPCError?
        var headers = Metadata()
        var responses: [[UInt8]] = []
        var trailers = Metadata()
        var duration = Duration.zero
    }

    /// A request that came after an answer waits for that answer, but not longer: the other server
    /// may answer in another order.
    private static let patience = Duration.seconds(1)
    /// Of a call without a recorded deadline and without -max-time.
    private static let defaultTimeout = Duration.seconds(30)

    private let session: Session
    private let call: Recording.Call

    init(_ session: Session, _ call: Recording.Call) {
        self.session = session
        self.call = call
    }

    /// - Throws: `Failure` when the server cannot be reached at all.
    func run() async throws -> Answer {
        let start = Deadline.now()
        var answer = Answer()
        let progress = Progress(session.loop)
        do {
            try await converse(&answer, progress)
        } catch let error as RPCError {
            if let failure = ConnectionAdvice.failure(error, session) { throw failure }
            answer.error = error
        }
        answer.duration = start.duration(to: .now())
        return answer
    }

    private func converse(_ answer: inout Answer, _ progress: Progress) async throws {
        let split = call.method.lastIndex(of: "/") ?? call.method.startIndex
        let method = MethodDescriptor(
            service: String(call.method[..<split].dropFirst()),
            name: String(call.method[call.method.index(after: split)...]), kind: .bidirectional)
        let own = Deadline.after(call.timeout ?? ReplayedCall.defaultTimeout)
        let upstream = try await session.requireChannel().start(
            method, metadata: metadata,
            options: CallOptions(
                deadline: session.deadline ?? own,
                maxResponseBytes: session.settings.maxMessageBytes))
        let steps = call.steps
        // A client that gave up is not waited for: its answers are compared up to there.
        let isCutShort = call.end?.byClient == true
        let expected = call.responses.count
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await ReplayedCall.send(steps, upstream, progress) }
            defer { group.cancelAll() }
            do {
                answer.headers = try await upstream.initialMetadata()
                session.markReached()
                while !isCutShort || answer.responses.count < expected,
                    let message = try await upstream.receive()
                {
                    answer.responses.append(message)
                    progress.advance()
                    // One more than recorded is a difference already; a stream may never end.
                    if answer.responses.count > expected { break }
                }
                if isCutShort || answer.responses.count > expected { upstream.cancel() }
                answer.trailers = await upstream.trailers
            } catch {
                answer.trailers = await upstream.trailers
                throw error
            }
        }
    }

    /// What was recorded, without what was hidden; headers of the command line replace it.
    private var metadata: Metadata {
        let given = session.settings.callMetadata
        var metadata = Metadata()
        for field in call.metadata where !given.contains(where: { $0.name == field.name }) {
            switch field.value {
            case .text(let text):
                let isHidden = text == Credentials.placeholder && Credentials.isSecret(field.name)
                if !isHidden, field.name != "user-agent" { metadata.add(text, for: field.name) }
            case .binary(let bytes): metadata.add(binary: bytes, for: field.name)
            }
        }
        metadata.append(contentsOf: given)
        return metadata
    }

    private static func send(
        _ steps: [Recording.Call.Step], _ upstream: ClientCall, _ progress: Progress
    ) async {
        var answers = 0
        do {
            for step in steps {
                switch step {
                case .response: answers += 1
                case .request(let message):
                    await progress.wait(for: answers, atMost: patience)
                    try await upstream.send(message)
                case .halfClose:
                    await progress.wait(for: answers, atMost: patience)
                    upstream.finish()
                }
            }
        } catch {
            // The call has ended: who receives learns how.
        }
    }

    /// How many answers have come. Confined to the loop.
    private final class Progress: @unchecked Sendable {
        private let loop: EventLoop
        private var count = 0
        private var waiter: (count: Int, continuation: CheckedContinuation<Void, Never>)?

        init(_ loop: EventLoop) {
            self.loop = loop
        }

        func advance() {
            count += 1
            if let waiter, count >= waiter.count { resume() }
        }

        func wait(for wanted: Int, atMost limit: Duration) async {
            guard count < wanted else { return }
            let timer = loop.schedule(after: limit) { [self] in resume() }
            await withCheckedContinuation { waiter = (wanted, $0) }
            timer.cancel()
        }

        private func resume() {
            waiter?.continuation.resume()
            waiter = nil
        }
    }
}
