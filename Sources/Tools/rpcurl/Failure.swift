import Protobuf

/// Why rpcurl stops without a status of the server: a sentence that says what to do next.
struct Failure: Error, Sendable, CustomStringConvertible {
    /// 1, or 2 for a command line that cannot be understood.
    var exitCode: Int32
    var sentence: String
    /// Of a call that got none from the server, for `-json`.
    var status: JSONValue?

    init(_ sentence: String, exitCode: Int32 = 1) {
        self.sentence = sentence
        self.exitCode = exitCode
    }

    static func usage(_ sentence: String) -> Failure {
        Failure(sentence, exitCode: 2)
    }

    var description: String { sentence }
}
