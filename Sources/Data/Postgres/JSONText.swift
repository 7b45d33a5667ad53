/// JSON as text, for `json` and `jsonb` columns. Nothing here checks it: the server does.
public struct JSONText: Sendable, Hashable, ExpressibleByStringLiteral {
    public var text: String

    public init(_ text: String) {
        self.text = text
    }

    public init(stringLiteral text: String) {
        self.text = text
    }

    /// The text as UTF-8.
    public init(utf8 bytes: [UInt8]) {
        text = String(decoding: bytes, as: UTF8.self)
    }
}
