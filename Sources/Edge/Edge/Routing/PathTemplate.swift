import Protobuf

/// A path of `google.api.http`, parsed by the grammar of http.proto:
///
///     Template  = "/" Segments [ Verb ] ;
///     Segments  = Segment { "/" Segment } ;
///     Segment   = "*" | "**" | LITERAL | Variable ;
///     Variable  = "{" FieldPath [ "=" Segments ] "}" ;
///     FieldPath = IDENT { "." IDENT } ;
///     Verb      = ":" LITERAL ;
struct PathTemplate: Sendable, Hashable {
    enum Segment: Sendable, Hashable {
        case literal(String)
        /// `*`: exactly one segment.
        case one
        /// `**`: the rest of the path, also nothing; last only.
        case rest
    }

    /// A field bound to the segments `range`; an open-ended one ends with the path.
    struct Variable: Sendable, Hashable {
        let fieldPath: [String]
        let start: Int
        /// Exclusive; counts `**` as one.
        let end: Int
    }

    let text: String
    let segments: [Segment]
    let variables: [Variable]
    let verb: String?

    /// Errors: `.schema` with a sentence when the text is not of the grammar.
    init(_ text: String) throws(ProtobufError) {
        self.text = text
        var parser = Parser(text)
        try parser.parse()
        segments = parser.segments
        variables = parser.variables
        verb = parser.verb
    }

    private struct Parser {
        let text: [UInt8]
        let template: String
        var offset = 0
        var segments: [Segment] = []
        var variables: [Variable] = []
        var verb: String?

        init(_ template: String) {
            self.template = template
            text = Array(template.utf8)
        }

        func failure(_ message: String) -> ProtobufError {
            ProtobufError(.schema, "path template \(template): \(message)", offset: offset)
        }

        mutating func take(_ byte: Character) -> Bool {
            guard offset < text.count, text[offset] == byte.asciiValue else { return false }
            offset += 1
            return true
        }

        mutating func parse() throws(ProtobufError) {
            guard take("/") else { throw failure("it does not begin with a slash") }
            if offset == text.count { return }
            try segmentList(inVariable: false)
            if take(":") { verb = try literal() }
            guard offset == text.count else { throw failure("unexpected character") }
        }

        mutating func segmentList(inVariable: Bool) throws(ProtobufError) {
            repeat {
                if segments.last == .rest { throw failure("** is not the last segment") }
                try segment(inVariable: inVariable)
            } while take("/")
        }

        mutating func segment(inVariable: Bool) throws(ProtobufError) {
            if take("*") {
                segments.append(take("*") ? .rest : .one)
            } else if take("{") {
                guard !inVariable else { throw failure("a variable is inside a variable") }
                try variable()
            } else {
                segments.append(.literal(try literal()))
            }
        }

        mutating func variable() throws(ProtobufError) {
            var path = [try identifier()]
            while take(".") { path.append(try identifier()) }
            let start = segments.count
            if take("=") {
                try segmentList(inVariable: true)
            } else {
                segments.append(.one)
            }
            guard take("}") else { throw failure("a variable does not end") }
            guard !variables.contains(where: { $0.fieldPath == path }) else {
                throw failure("a field is bound twice")
            }
            variables.append(Variable(fieldPath: path, start: start, end: segments.count))
        }

        mutating func identifier() throws(ProtobufError) -> String {
            let start = offset
            while offset < text.count, Self.isIdentifier(text[offset], first: offset == start) {
                offset += 1
            }
            guard offset > start else { throw failure("a field name is missing") }
            return String(decoding: text[start..<offset], as: UTF8.self)
        }

        mutating func literal() throws(ProtobufError) -> String {
            let start = offset
            while offset < text.count, !"/{}:*=".utf8.contains(text[offset]) { offset += 1 }
            guard offset > start else { throw failure("a segment is empty") }
            return String(decoding: text[start..<offset], as: UTF8.self)
        }

        static func isIdentifier(_ byte: UInt8, first: Bool) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"):
                true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): !first
            default: false
            }
        }
    }
}
