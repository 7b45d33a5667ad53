import Protobuf
import RPC

/// Shows statuses with their decoded details.
struct ErrorReport {
    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

    private var settings: Settings { session.settings }

    static func exitCode(_ error: RPCError) -> Int32 { 64 + max(0, min(error.code.rawValue, 63)) }

    /// `{code, name, message, details}`.
    func json(_ error: RPCError?) async -> JSONValue {
        guard let error else { return ["code": 0, "name": "OK", "message": "", "details": []] }
        var members: [(key: String, value: JSONValue)] = [
            ("code", .number(String(error.code.rawValue))), ("name", .string(error.code.name)),
            ("message", .string(error.message)), ("details", .array(await details(error))),
        ]
        if let cause = error.cause { members.append(("cause", .string(cause))) }
        return .object(members)
    }

    /// On standard error: the name, the message, the details as JSON, and what to do next.
    /// With `-json` the status goes to standard output as the only member of an object.
    func note(_ error: RPCError) async throws {
        let output = session.output
        if settings.json {
            let object: JSONValue = ["status": await json(error)]
            return try output.line(JSONText.layout(object, compact: settings.compact))
        }
        if settings.formatError { return try await noteStatus(error) }
        var text = "rpcurl: \(error.code.name) (\(error.code.rawValue))"
        if !error.message.isEmpty { text += ": \(error.message)" }
        if let cause = error.cause, !error.message.contains(cause) { text += " [\(cause)]" }
        try output.note(text)
        for detail in await details(error) {
            let json = JSONText.layout(detail, compact: settings.compact)
            try output.note(String(decoding: json, as: UTF8.self))
        }
        if let advice = advice(error) { try output.note("rpcurl: \(advice)") }
    }

    /// `-format-error`: the status as a message, in the format of the responses.
    private func noteStatus(_ error: RPCError) async throws {
        var status = GoogleRpc.Status()
        status.code = error.code.rawValue
        status.message = error.message
        status.details = error.details.map { detail in
            var any = GoogleProtobuf.Any_()
            any.typeUrl = detail.typeURL
            any.value = detail.value
            return any
        }
        var printer = MessagePrinter(session.source, try DescriptorFiles().pool(), settings)
        let text = try await printer.output(status.encoded(), as: GoogleRpc.Status.schema)
        try session.output.note(String(decoding: text, as: UTF8.self))
    }

    private func details(_ error: RPCError) async -> [JSONValue] {
        if error.details.isEmpty { return [] }
        var values: [JSONValue] = []
        guard let pool = try? DescriptorFiles().pool() else { return [] }
        var printer = MessagePrinter(session.source, pool, session.settings)
        for detail in error.details {
            var any = GoogleProtobuf.Any_()
            any.typeUrl = detail.typeURL
            any.value = detail.value
            do {
                let json = try await printer.json(
                    any.encoded(), as: GoogleProtobuf.Any_.schema)
                values.append(try JSONValue.parse(json, maxDepth: 200))
            } catch {
                values.append(["@type": .string(detail.typeURL), "@error": .string("\(error)")])
            }
        }
        return values
    }

    private func advice(_ error: RPCError) -> String? {
        switch error.code {
        case .unauthenticated: "give credentials with -H 'authorization: Bearer …'"
        case .unimplemented:
            session.address.map { "rpcurl \($0.text) list shows what the server has" }
        case .deadlineExceeded where session.deadline != nil: "-max-time SECONDS waits longer"
        case .resourceExhausted where error.message.contains("bytes"):
            "-max-msg-size BYTES accepts larger responses"
        default: nil
        }
    }
}
