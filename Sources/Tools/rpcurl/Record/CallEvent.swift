import Environment
import Protobuf
import RPC

/// Something that happened to a call: what `tap` prints and recordings hold.
struct CallEvent: Sendable {
    enum Kind: Sendable {
        case begin(method: String, metadata: Metadata, timeout: Duration?, peer: String?)
        case request([UInt8])
        case halfClose
        case headers(Metadata)
        case response([UInt8])
        /// - error: nil is OK; byClient: the client went away, or gave up at its deadline.
        case end(RPCError?, trailers: Metadata, byClient: Bool)
    }

    /// Counts from 1.
    var call: Int
    /// Since the call's begin.
    var time: Duration
    var kind: Kind

    var message: [UInt8]? {
        switch kind {
        case .request(let bytes), .response(let bytes): bytes
        default: nil
        }
    }
}

extension CallEvent {
    /// A line of a recording.
    /// - Parameters:
    ///   - decoded: the message as JSON, when its type is known.
    ///   - keepsSecrets: whether values of headers that carry credentials stay.
    func json(decoded: JSONValue?, keepsSecrets: Bool) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = [
            ("call", .number("\(call)")), ("ms", .number(CallTimings.milliseconds(time))),
        ]
        func fields(_ metadata: Metadata) -> JSONValue {
            MetadataText.json(keepsSecrets ? metadata : Credentials.hidden(in: metadata))
        }
        switch kind {
        case .begin(let method, let metadata, let timeout, let peer):
            members.append(("event", "begin"))
            members.append(("method", .string(method)))
            members.append(("metadata", fields(metadata)))
            if let timeout {
                members.append(("timeout_ms", .number(CallTimings.milliseconds(timeout))))
            }
            if let peer { members.append(("peer", .string(peer))) }
        case .request(let bytes), .response(let bytes):
            let isRequest = if case .request = kind { true } else { false }
            members.append(("event", isRequest ? "request" : "response"))
            members.append(
                ("message", .string(CallEvent.base64(bytes))))
            if let decoded { members.append(("json", decoded)) }
        case .halfClose: members.append(("event", "half_close"))
        case .headers(let metadata):
            members.append(("event", "headers"))
            members.append(("metadata", fields(metadata)))
        case .end(let error, let trailers, let byClient):
            members.append(("event", "end"))
            members.append(("status", CallEvent.status(error)))
            members.append(("trailers", fields(trailers)))
            if byClient { members.append(("by_client", true)) }
        }
        return .object(members)
    }

    private static func status(_ error: RPCError?) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = [
            ("code", .number("\(error?.code.rawValue ?? 0)")),
            ("name", .string(error?.code.name ?? "OK")), ("message", .string(error?.message ?? "")),
        ]
        let details = (error?.details ?? []).map { detail -> JSONValue in
            ["@type": .string(detail.typeURL), "value": .string(base64(detail.value))]
        }
        if !details.isEmpty { members.append(("details", .array(details))) }
        return .object(members)
    }

    /// With padding, which `base64 -d` and most programs insist on.
    private static func base64(_ bytes: [UInt8]) -> String {
        let text = MetadataBase64.encode(bytes)
        let padding = [UInt8](repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
        return String(decoding: text + padding, as: UTF8.self)
    }

    /// - Throws: `Failure` that says what is missing.
    init(_ json: JSONValue) throws(Failure) {
        guard let call = json["call"]?.integer, call > 0, call < 1 << 31 else {
            throw Failure("\"call\" must be a number from 1")
        }
        self.call = Int(call)
        let milliseconds = json["ms"]?.double ?? 0
        time = .microseconds(Int64(max(0, min(milliseconds, 1e12)) * 1000))
        switch json["event"]?.string {
        case "begin":
            guard let method = json["method"]?.string, method.hasPrefix("/"),
                method.dropFirst().contains("/")
            else { throw Failure("\"method\" must be /service/method") }
            let timeout = json["timeout_ms"]?.double.map {
                Duration.microseconds(Int64(max(0, min($0, 1e12)) * 1000))
            }
            kind = .begin(
                method: method, metadata: try MetadataText.parse(json["metadata"]),
                timeout: timeout, peer: json["peer"]?.string)
        case "request": kind = .request(try CallEvent.message(json))
        case "response": kind = .response(try CallEvent.message(json))
        case "half_close": kind = .halfClose
        case "headers": kind = .headers(try MetadataText.parse(json["metadata"]))
        case "end":
            kind = .end(
                try CallEvent.error(json["status"]),
                trailers: try MetadataText.parse(json["trailers"]),
                byClient: json["by_client"]?.bool ?? false)
        case let other: throw Failure("there is no event \(other ?? "without a name")")
        }
    }

    private static func message(_ json: JSONValue) throws(Failure) -> [UInt8] {
        guard let text = json["message"]?.string, let bytes = MetadataBase64.decode(text.utf8)
        else { throw Failure("\"message\" must be base64") }
        return bytes
    }

    private static func error(_ json: JSONValue?) throws(Failure) -> RPCError? {
        guard let code = json?["code"]?.integer, let number = Int32(exactly: code) else {
            throw Failure("\"status\" must have a code")
        }
        if number == 0 { return nil }
        var details: [RPCError.Detail] = []
        for detail in json?["details"]?.array ?? [] {
            guard let type = detail["@type"]?.string,
                let value = MetadataBase64.decode((detail["value"]?.string ?? "").utf8)
            else { throw Failure("\"details\" must have @type and value") }
            details.append(RPCError.Detail(typeURL: type, value: value))
        }
        return RPCError(
            RPCError.Code(rawValue: number), json?["message"]?.string ?? "", details: details)
    }
}
