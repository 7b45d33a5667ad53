import Environment
import Glibc

/// Runs the command and turns what goes wrong into a sentence and an exit code.
func run() async -> Int32 {
    do {
        let command = try Command(Array(CommandLine.arguments.dropFirst()))
        if case .help(let topic) = command {
            Console.line(Help.text(topic))
            return 0
        }
        let configuration = try Configuration.ofProcess()
        switch command {
        case .up: try await UpCommand(configuration: configuration).run()
        case .serve(let roles):
            try await ServeCommand(configuration: configuration, roles: roles).run()
        case .migrate(let isPlan):
            try await MigrateCommand(configuration: configuration, isPlan: isPlan).run()
        case .events(let request):
            try await EventsCommand(configuration: configuration, request: request).run()
        case .token(let audience, let admin):
            try TokenCommand(configuration: configuration, audience: audience, admin: admin).run()
        case .help: break
        }
        return 0
    } catch let error as ConfigurationError {
        Console.error(error.description)
        return 64
    } catch {
        Console.error("\(error)")
        return 1
    }
}

FileLimit.raise()
exit(await run())
