import Glibc
import Loop
import Protobuf
import RPC
import Synchronization

/// From a command line to an exit code.
enum Program {
    /// Runs as the process: Ctrl-C cancels the command, a second one ends the process at once.
    static func main(_ arguments: [String]) async -> Int32 {
        let loop = EventLoop(name: "rpcurl")
        let task = Task(executorPreference: loop) {
            await run(
                arguments, output: .process, standardInput: STDIN_FILENO,
                environment: EnvironmentText.ofProcess, loop: loop)
        }
        let interrupts = Atomic<Int>(0)
        for number in [SIGINT, SIGTERM] {
            loop.onSignal(number) {
                if interrupts.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
                task.cancel()
            }
        }
        return await task.value
    }

    /// Runs a command line on a loop; cancelling the task resets its calls.
    static func run(
        _ arguments: [String], output: Output, standardInput: Int32,
        environment: [String: String] = [:], loop: EventLoop
    ) async -> Int32 {
        do {
            do {
                let words = try Arguments.read(arguments)
                let profile = try await ConfigurationFile.profile(words, environment, loop)
                let invocation = try Arguments.parse(
                    words, profile: profile, environment: environment)
                return try await run(
                    invocation, output: output, standardInput: standardInput,
                    environment: environment, loop: loop)
            } catch let failure as Failure {
                if failure.sentence.isEmpty { return failure.exitCode }
                let wantsJSON = arguments.contains { $0 == "-json" || $0 == "--json" }
                if wantsJSON {
                    var members: [(key: String, value: JSONValue)] = [
                        ("error", .string(failure.sentence))
                    ]
                    if let status = failure.status { members.append(("status", status)) }
                    let object = JSONText.layout(
                        .object(members),
                        compact: arguments.contains { $0 == "-compact" || $0 == "--compact" })
                    try output.line(object)
                } else {
                    try output.note("rpcurl: \(failure.sentence)")
                }
                return failure.exitCode
            }
        } catch {
            return (error as? Failure)?.exitCode ?? 1
        }
    }

    private static func run(
        _ invocation: Invocation, output: Output, standardInput: Int32,
        environment: [String: String], loop: EventLoop
    ) async throws -> Int32 {
        switch invocation.command {
        case .help(let verb):
            try output.line(verb.flatMap(Verb.named).map(Help.text) ?? Help.text)
            return 0
        case .version:
            try output.line(Help.version)
            return 0
        case .completion(let shell):
            try output.line(try Completion.script(for: shell))
            return 0
        default: break
        }
        let session = try await Session(
            invocation, output: output, standardInput: standardInput, environment: environment,
            loop: loop)
        let code: Int32
        do {
            code = try await run(invocation.command, session)
        } catch let error as RPCError {
            if var failure = ConnectionAdvice.failure(error, session) {
                failure.status = await ErrorReport(session).json(error)
                await session.close()
                throw failure
            }
            try await ErrorReport(session).note(error)
            code = ErrorReport.exitCode(error)
        } catch {
            await session.close()
            if error is CancellationError { throw Failure("cancelled", exitCode: 65) }
            throw error
        }
        await session.close()
        return code
    }

    private static func run(_ command: Command, _ session: Session) async throws -> Int32 {
        let export = SchemaExport(session)
        switch command {
        case .list(let service):
            try await ListCommand(session).run(service)
            try await export.run(service)
        case .describe(let symbol):
            try await DescribeCommand(session).run(symbol)
            try await export.run(symbol)
        case .health(let service): return try await HealthCommand(session).run(service)
        case .call(let method, let requests):
            try await export.run(method)
            return try await CallCommand(session).run(method, requests)
        case .watch(let method, let requests):
            return try await WatchCommand(session).run(method, requests)
        case .tap(let listen, let file):
            try await TapCommand(session).run(listen, file: file)
        case .replay(let file): return try await ReplayCommand(session).run(file)
        case .bench(let method, let requests):
            return try await BenchCommand(session).run(method, requests)
        case .top: try await TopCommand(session).run()
        case .doctor(let method): return try await DoctorCommand(session).run(method)
        case .help, .version, .completion: break
        }
        return 0
    }
}
