import Environment
import Protobuf

/// A request message of `bench`: the same bytes for every call, or a text with places to fill in.
struct RequestTemplate: Sendable {
    enum Part: Equatable {
        case text(String)
        /// The number of the call, from 1.
        case number
        case random(Int64, Int64)
        case uuid
        /// RFC 3339, now.
        case time
    }

    private enum Form {
        case fixed([UInt8])
        case filled([Part], RequestEncoder)
    }

    private let form: Form

    /// - Throws: `Failure` when the text is no message of the type, or has an unknown place.
    init(_ text: [UInt8], _ encoder: RequestEncoder) throws(Failure) {
        let parts = try RequestTemplate.parts(String(decoding: text, as: UTF8.self))
        let isFixed = parts.allSatisfy { if case .text = $0 { true } else { false } }
        if isFixed {
            form = .fixed(try encoder.encode(text, number: 1))
        } else {
            form = .filled(parts, encoder)
            _ = try message(1)
        }
    }

    /// The message of a call.
    /// - Throws: `Failure` when what was filled in does not fit the field.
    func message(_ number: Int) throws(Failure) -> [UInt8] {
        switch form {
        case .fixed(let bytes): return bytes
        case .filled(let parts, let encoder):
            var text = ""
            for part in parts {
                switch part {
                case .text(let fixed): text += fixed
                case .number: text += "\(number)"
                case .random(let low, let high): text += "\(Int64.random(in: low...high))"
                case .uuid: text += UUID.random().description
                case .time: text += Instant.now().rfc3339
                }
            }
            return try encoder.encode(Array(text.utf8), number: number)
        }
    }

    /// - Throws: `Failure` for `{{…}}` that nobody knows.
    static func parts(_ text: String) throws(Failure) -> [Part] {
        var parts: [Part] = []
        var literal = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            literal += rest[..<open]
            rest = rest[open...]
            guard rest.hasPrefix("{{"), let (part, end) = try place(rest) else {
                literal += rest.prefix(1)
                rest = rest.dropFirst()
                continue
            }
            if !literal.isEmpty { parts.append(.text(literal)) }
            literal = ""
            parts.append(part)
            rest = rest[end...]
        }
        literal += rest
        if !literal.isEmpty { parts.append(.text(literal)) }
        return parts
    }

    /// `{{n}}` at the beginning of a text; nil when the braces are JSON's.
    private static func place(
        _ text: Substring
    ) throws(Failure) -> (part: Part, end: Substring.Index)? {
        let inner = text.dropFirst(2)
        guard let close = inner.firstIndex(of: "}"), inner[close...].hasPrefix("}}"),
            inner[..<close].allSatisfy({ $0.isLetter || $0.isNumber || $0 == ":" || $0 == "-" })
        else { return nil }
        let end = text.index(close, offsetBy: 2)
        let words = inner[..<close].split(separator: ":", omittingEmptySubsequences: false)
        switch words.first {
        case "n" where words.count == 1: return (.number, end)
        case "uuid" where words.count == 1: return (.uuid, end)
        case "time" where words.count == 1: return (.time, end)
        case "random" where words.count == 3:
            guard let low = Int64(words[1]), let high = Int64(words[2]), low <= high else { break }
            return (.random(low, high), end)
        default: break
        }
        throw .usage(
            "{{\(inner[..<close])}} is not known: {{n}}, {{random:A:B}}, {{uuid}} and {{time}} are")
    }
}
