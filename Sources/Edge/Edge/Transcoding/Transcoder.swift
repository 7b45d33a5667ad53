import HTTP1
import Protobuf
import Schema

/// HTTP request → request message, response message → JSON. Pure: no I/O, no state.
struct Transcoder: Sendable {
    let printer: MessagePrinter

    /// What the path, the query, the body and the `Idempotency-Key` field say, as one message.
    ///
    /// - Parameter segments: the decoded path.
    func request(
        _ route: Route, _ head: HTTPRequestHead, segments: [String], body: [UInt8]
    ) throws(EdgeFailure) -> DynamicMessage {
        if !route.takesRawBody { try checkContentType(head, body) }
        do throws(ProtobufError) {
            var message = try self.body(route, head, body)
            try bindPath(route, head, segments, &message)
            try bindQuery(route, head, &message)
            for (field, header) in route.headerFields {
                message[field] = .string(head.headers.first(header) ?? "")
            }
            if let field = route.idempotencyKey,
                let key = head.headers.first("idempotency-key"), !key.isEmpty,
                (message[field]?.stringValue ?? "").isEmpty
            {
                message[field] = .string(key)
            }
            return message
        } catch {
            throw EdgeFailure(malformed: error)
        }
    }

    private func checkContentType(
        _ head: HTTPRequestHead, _ body: [UInt8]
    ) throws(EdgeFailure) {
        guard !body.isEmpty else { return }
        let type = head.headers.first("content-type") ?? ""
        if type == "application/json" { return }
        let parts = type.split(separator: ";", maxSplits: 1)
        let name = parts.first.map { Self.trimmed($0).lowercased() } ?? ""
        guard name == "application/json" else {
            throw EdgeFailure(
                .unsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE",
                "the body must be application/json")
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        String(
            text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }
                .reversed())
    }

    private func body(
        _ route: Route, _ head: HTTPRequestHead, _ body: [UInt8]
    ) throws(ProtobufError) -> DynamicMessage {
        let input = route.method.input
        switch route.body {
        case .none:
            guard body.isEmpty else {
                throw ProtobufError(.mismatch, "this request has no body", offset: 0)
            }
            return DynamicMessage(input)
        case .whole:
            // An empty body is an empty request.
            return body.isEmpty ? DynamicMessage(input) : try printer.parse(body, as: input)
        case .field(let field):
            var message = DynamicMessage(input)
            guard !body.isEmpty else { return message }
            if let inner = field.messageType, !field.isRepeated {
                guard !RawBody.isRaw(inner) else {
                    message[field] = .message(RawBody.message(inner, body, head.headers))
                    return message
                }
                do throws(ProtobufError) {
                    message[field] = .message(try printer.parse(body, as: inner))
                } catch {
                    var error = error
                    error.path = [field.name, error.path ?? ""].filter { !$0.isEmpty }
                        .joined(separator: ".")
                    throw error
                }
                return message
            }
            let wrapped = Array("{\"\(field.name)\":".utf8) + body + [UInt8(ascii: "}")]
            return try printer.parse(wrapped, as: input)
        }
    }

    private func bindPath(
        _ route: Route, _ head: HTTPRequestHead, _ segments: [String],
        _ message: inout DynamicMessage
    ) throws(ProtobufError) {
        for variable in route.variables {
            let end =
                variable.isMulti && route.template.segments.last == .rest
                ? segments.count : variable.end
            var parts = Array(segments[variable.start..<end])
            if variable.isMulti {
                parts = try Self.keepingSlashes(head.rawPathSegments[variable.start..<end])
            }
            if end == segments.count, let verb = route.template.verb, let last = parts.last {
                parts[parts.count - 1] = String(last.dropLast(verb.count + 1))
            }
            let text = parts.joined(separator: "/")
            try FieldPath.update(variable.path[...], of: &message) {
                holder, field
                    throws(ProtobufError) in
                let value = try scalar(text, field, in: holder.schema)
                if let given = holder[field], given != value {
                    throw ProtobufError(
                        .mismatch, "the body and the path name different values",
                        path: variable.path.map(\.name).joined(separator: "."))
                }
                holder[field] = value
            }
        }
    }

    private static func keepingSlashes(
        _ raw: ArraySlice<ArraySlice<UInt8>>
    ) throws(ProtobufError) -> [String] {
        do throws(HTTPError) {
            var parts: [String] = []
            for part in raw { parts.append(try PercentCoding.decode(part, keepingSlash: true)) }
            return parts
        } catch {
            throw ProtobufError(.malformed, error.message)
        }
    }

    private func bindQuery(
        _ route: Route, _ head: HTTPRequestHead, _ message: inout DynamicMessage
    ) throws(ProtobufError) {
        let items: [HTTPRequestHead.QueryItem]
        do throws(HTTPError) {
            items = try head.queryItems()
        } catch {
            throw ProtobufError(.malformed, error.message)
        }
        guard !items.isEmpty else { return }
        var seen: Set<String> = []
        for item in items {
            if case .whole = route.body {
                throw ProtobufError(
                    .mismatch, "this request takes its fields from the body", path: item.name)
            }
            let path = try FieldPath.resolve(
                item.name.split(separator: ".", omittingEmptySubsequences: false).map(String.init),
                in: route.method.input)
            let name = path.map(\.name).joined(separator: ".")
            let isBound =
                route.variables.contains { $0.path == path }
                || {
                    if case .field(let field) = route.body { return field == path.first }
                    return false
                }()
            let isFirst = seen.insert(name).inserted
            guard !isBound, isFirst || path.last?.isRepeated == true else {
                throw ProtobufError(.mismatch, "the field is given twice", path: name)
            }
            do throws(ProtobufError) {
                try FieldPath.update(path[...], of: &message) {
                    holder, field
                        throws(ProtobufError) in
                    let value = try scalar(item.value, field, in: holder.schema)
                    guard field.isRepeated else {
                        holder[field] = value
                        return
                    }
                    holder[field] = .list((holder[field]?.listValue ?? []) + [value])
                }
            } catch {
                // Offsets would count in the one value.
                throw ProtobufError(error.code, error.message, path: name)
            }
        }
    }

    /// One element of a field from its text in a path or query, by the rules of ProtoJSON.
    private func scalar(
        _ text: String, _ field: FieldSchema, in schema: MessageSchema
    ) throws(ProtobufError) -> DynamicValue {
        guard !field.isMap else {
            throw ProtobufError(.mismatch, "a map cannot be given here", path: field.name)
        }
        switch field.kind {
        case .string: return .string(text)
        case .bool:
            guard text == "true" || text == "false" else {
                throw ProtobufError(.mismatch, "expected true or false", path: field.name)
            }
            return .bool(text == "true")
        default:
            var json = JSONValue.string(text)
            if field.isRepeated { json = .array([json]) }
            do throws(ProtobufError) {
                let wrapped = JSONValue.object([(field.name, json)]).encoded()
                let value = try printer.parse(wrapped, as: schema).value(field)
                return field.isRepeated ? value.listValue?.first ?? value : value
            } catch {
                throw ProtobufError(error.code, error.message, path: field.name)
            }
        }
    }

    /// The `data` of the success envelope.
    func response(_ route: Route, _ message: DynamicMessage) throws(ProtobufError) -> [UInt8] {
        let printed = try printer.print(message)
        guard route.cookie == .issue || route.responseBody != nil else { return printed }
        var value = try JSONValue.parse(printed)
        if route.cookie == .issue, case .object(let members) = value {
            // The secret lives in the cookie alone.
            value = .object(members.filter { $0.key != "session_id" })
        }
        if let name = route.responseBody { value = value[name] ?? .null }
        return value.encoded()
    }
}
