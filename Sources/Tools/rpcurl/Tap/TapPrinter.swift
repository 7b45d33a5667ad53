import Environment
import Protobuf
import RPC

/// Prints the events of a tap, decoded when the method is known, and records them.
struct TapPrinter {
    /// So much of a message that nobody can decode is shown.
    private static let shownBytes = 64
    /// Calls that are remembered; beyond, the oldest are forgotten and shown as bytes.
    private static let maxCalls = 10_000

    private struct Call {
        var path: String
        var requests = 0
        var responses = 0
    }

    private enum Known {
        case method(MethodSchema, MessagePrinter)
        case unknown
    }

    private let session: Session
    private let recording: RecordingWriter?
    private var calls: [Int: Call] = [:]
    private var methods: [String: Known] = [:]

    init(_ session: Session, _ recording: RecordingWriter?) {
        self.session = session
        self.recording = recording
    }

    private var settings: Settings { session.settings }

    /// - Throws: `Failure` when nobody reads any more or the recording cannot be written.
    mutating func print(_ event: CallEvent) async throws {
        if case .begin(let method, _, _, _) = event.kind {
            if calls.count > TapPrinter.maxCalls { calls.removeAll() }
            calls[event.call] = Call(path: method)
        }
        if let recording {
            try recording.write(event, decoded: await decode(event)?.json)
        }
        let event = settings.keepSecrets ? event : await hidden(event)
        let decoded = await decode(event)
        if settings.json {
            let line = event.json(decoded: decoded?.json, keepsSecrets: settings.keepSecrets)
            try session.output.line(line.encoded())
        } else if recording == nil || settings.verbose {
            for line in lines(event, decoded?.text) { try session.output.line(line) }
        } else if case .end = event.kind {
            for line in lines(event, nil) { try session.output.line(line) }
        }
        count(event)
    }

    private mutating func count(_ event: CallEvent) {
        switch event.kind {
        case .request: calls[event.call]?.requests += 1
        case .response: calls[event.call]?.responses += 1
        case .end: calls[event.call] = nil
        default: break
        }
    }

    // MARK: Decoding

    private mutating func decode(_ event: CallEvent) async -> (json: JSONValue, text: String)? {
        guard let bytes = event.message, let path = calls[event.call]?.path else { return nil }
        guard case .method(let method, var printer) = await known(path) else { return nil }
        let isRequest = if case .request = event.kind { true } else { false }
        let schema = isRequest ? method.input : method.output
        guard let raw = try? await printer.json(bytes, as: schema),
            let json = try? JSONValue.parse(raw, maxDepth: 200)
        else { return nil }
        methods[path] = .method(method, printer)
        if settings.format == .text {
            let text = try? await printer.output(bytes, as: schema)
            return (json, String(decoding: text ?? raw, as: UTF8.self))
        }
        let text = JSONText.layout(json, compact: true)
        return (json, String(decoding: text, as: UTF8.self))
    }

    /// Without what the contract calls personal; a recording has it, to be replayed.
    private mutating func hidden(_ event: CallEvent) async -> CallEvent {
        guard let bytes = event.message, let path = calls[event.call]?.path,
            case .method(let method, let printer) = await known(path)
        else { return event }
        var event = event
        func hidden(_ schema: MessageSchema) -> [UInt8]? {
            try? PersonalFields.hidden(in: bytes, as: schema, printer.pool)
        }
        switch event.kind {
        case .request: event.kind = .request(hidden(method.input) ?? bytes)
        case .response: event.kind = .response(hidden(method.output) ?? bytes)
        default: break
        }
        return event
    }

    /// Looked up once; a server that cannot tell is not asked again for the method.
    private mutating func known(_ path: String) async -> Known {
        if let known = methods[path] { return known }
        if methods.count > TapPrinter.maxCalls { methods.removeAll() }
        var printing = settings
        printing.json = true
        let known: Known
        if let (method, pool) = try? await session.source.method(path) {
            known = .method(method, MessagePrinter(session.source, pool, printing))
        } else {
            known = .unknown
        }
        methods[path] = known
        return known
    }

    // MARK: Text

    private func lines(_ event: CallEvent, _ decoded: String?) -> [String] {
        let head = "#\(event.call)"
        func fields(_ mark: String, _ metadata: Metadata) -> [String] {
            guard settings.verbose else { return [] }
            let shown = settings.keepSecrets ? metadata : Credentials.hidden(in: metadata)
            return MetadataText.lines(shown).map { "\(head) \(mark)   \($0)" }
        }
        switch event.kind {
        case .begin(let method, let metadata, let timeout, let peer):
            let limit = timeout.map { ", \(CallTimings.milliseconds($0)) ms left" } ?? ""
            return ["\(head) > \(method) from \(peer ?? "?")\(limit)"] + fields(">", metadata)
        case .request(let bytes): return message("\(head) >", bytes, decoded)
        case .halfClose: return settings.verbose ? ["\(head) > half-close"] : []
        case .headers(let metadata):
            return settings.verbose ? ["\(head) < headers"] + fields("<", metadata) : []
        case .response(let bytes): return message("\(head) <", bytes, decoded)
        case .end(let error, let trailers, let byClient):
            let call = calls[event.call]
            var text = "\(head) = \(error?.code.name ?? "OK")"
            if let error, !error.message.isEmpty { text += ": \(error.message)" }
            if byClient { text += " (by the client)" }
            text += " after \(CallTimings.milliseconds(event.time)) ms"
            text += ", \(call?.requests ?? 0) up, \(call?.responses ?? 0) down"
            return [text] + fields("=", trailers)
        }
    }

    private func message(_ head: String, _ bytes: [UInt8], _ decoded: String?) -> [String] {
        if let decoded {
            return decoded.split(separator: "\n", omittingEmptySubsequences: false).map {
                "\(head) \($0)"
            }
        }
        let shown = bytes.prefix(TapPrinter.shownBytes).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0\(text)" : text
        }
        let rest = bytes.count > TapPrinter.shownBytes ? " …" : ""
        return ["\(head) \(bytes.count) bytes: \(shown.joined(separator: " "))\(rest)"]
    }
}
