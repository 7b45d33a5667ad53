import CCurl

/// The body of a request of type `application/x-www-form-urlencoded` (WHATWG URL Standard, §5).
public enum HTTPForm {
    /// The type of the body.
    public static var contentType: StaticString { "application/x-www-form-urlencoded" }

    /// `name=value` pairs in their order, every byte but letters, digits and `-._~` escaped.
    /// - Precondition: no name and no value is longer than 8,000,000 bytes, libcurl's limit.
    public static func encoded(_ fields: [(name: String, value: String)]) -> [UInt8] {
        let pairs = fields.map { "\(escaped($0.name))=\(escaped($0.value))" }
        return Array(pairs.joined(separator: "&").utf8)
    }

    private static func escaped(_ text: String) -> String {
        // For libcurl a length of 0 means text that ends with a zero byte.
        guard !text.isEmpty else { return "" }
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                guard
                    let escaped = curl_easy_escape(nil, characters.baseAddress, Int32(bytes.count))
                else { preconditionFailure("\(bytes.count) bytes in a form") }
                defer { curl_free(escaped) }
                return String(cString: escaped)
            }
        }
    }
}
