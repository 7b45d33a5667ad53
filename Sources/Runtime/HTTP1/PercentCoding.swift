/// Percent-decoding, once and strictly (RFC 3986 §2.1): bad hex, `%00` and invalid UTF-8 are 400,
/// never replaced.
public enum PercentCoding {
    /// Decodes raw bytes of a path segment or a query part.
    /// - Parameters:
    ///   - plusIsSpace: the rule of `application/x-www-form-urlencoded`, for queries only.
    ///   - keepingSlash: leaves `%2F` as it is, for path variables of several segments.
    public static func decode(
        _ raw: ArraySlice<UInt8>, plusIsSpace: Bool = false, keepingSlash: Bool = false
    ) throws(HTTPError) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(raw.count)
        var index = raw.startIndex
        while index < raw.endIndex {
            let byte = raw[index]
            index += 1
            guard byte == UInt8(ascii: "%") else {
                decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? ASCII.space : byte)
                continue
            }
            guard raw.endIndex - index >= 2, let high = ASCII.hexValue(raw[index]),
                let low = ASCII.hexValue(raw[index + 1])
            else {
                throw HTTPError(
                    .malformedTarget, "a percent sign is not followed by two hex digits")
            }
            let value = high << 4 | low
            guard value != 0 else { throw HTTPError(.malformedTarget, "%00 is not allowed") }
            if keepingSlash && value == UInt8(ascii: "/") {
                decoded.append(contentsOf: raw[(index - 1)..<(index + 2)])
            } else {
                decoded.append(value)
            }
            index += 2
        }
        guard let text = String(validating: decoded, as: UTF8.self) else {
            throw HTTPError(.malformedTarget, "the request target is not UTF-8 after decoding")
        }
        return text
    }
}
