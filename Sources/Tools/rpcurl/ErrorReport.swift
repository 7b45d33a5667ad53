import Protobuf
import RPC

/// Shows statuses with their decoded details.
struct ErrorReport {
    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

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
        if session.settings.json {
            let object: JSONValue = ["status": await json(error)]
            return try output.line(JSONText.layout(object, compact: session.settings.compact))
        }
        var text = "rpcurl: \(error.code.name) (\(error.code.rawValue))"
        if !error.message.isEmpty { text += ": \(error.message)" }
        if let cause = error.cause, !error.message.contains(cause) { text += " [\(cause)]" }
        try output.note(text)
        for detail in await details(error) {
            let json = JSONText.layout(detail, compact: session.settings.compact)
            try output.note(String(decoding: json, as: UTF8.self))
        }
        if let advice = advice(error) { try output.note("rpcurl: \(advice)") }
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
