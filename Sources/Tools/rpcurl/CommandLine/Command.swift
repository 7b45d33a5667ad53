/// What is to be done.
enum Command: Sendable, Hashable {
    case list(service: String?)
    case describe(symbol: String?)
    /// `service/method`, and where the request messages come from.
    case call(method: String, requests: RequestSource)
    case watch(method: String, requests: RequestSource)
    case bench(method: String, requests: RequestSource)
    case health(service: String)
    /// The calls go to a file too when one is named.
    case tap(listen: ListenAddress, file: String?)
    case replay(file: String)
    /// The method is called where the server has nothing better.
    case doctor(method: String?)
    case top
    case completion(shell: String)
    /// Of one verb, or of all.
    case help(verb: String?)
    case version
}

/// Where the JSON of the request messages comes from.
enum RequestSource: Sendable, Hashable {
    /// Nothing was given: an empty message, or an empty stream.
    case none
    case text(String)
    case file(String)
    case standardInput

    /// `@` is standard input, `@path` a file, everything else JSON.
    init(argument: String) {
        if argument == "@" {
            self = .standardInput
        } else if argument.hasPrefix("@") {
            self = .file(String(argument.dropFirst()))
        } else {
            self = .text(argument)
        }
    }
}

/// A whole command line, understood.
struct Invocation: Sendable {
    var command: Command
    /// Nil when files with the schema answer alone.
    var address: Address?
    var settings: Settings
}
