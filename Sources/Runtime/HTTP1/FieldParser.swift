/// Reads one header field line (RFC 9112 §5).
enum FieldParser {
    static func parse(
        _ line: Range<Int>, of bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTPError) -> HTTPHeaders.Field {
        if bytes[line.lowerBound] == ASCII.space || bytes[line.lowerBound] == ASCII.tab {
            throw HTTPError(.malformedField, "folded header lines are not accepted")
        }
        var colon = line.lowerBound
        while colon < line.upperBound, ASCII.isToken(bytes[colon]) { colon += 1 }
        guard colon > line.lowerBound, colon < line.upperBound, bytes[colon] == UInt8(ascii: ":")
        else { throw HTTPError(.malformedField, "a header field name is malformed") }
        let value = ASCII.trimmed((colon + 1)..<line.upperBound, of: bytes)
        for index in value where !ASCII.isFieldValue(bytes[index]) {
            throw HTTPError(.malformedField, "a header field value contains a control byte")
        }
        return HTTPHeaders.Field(
            nameStart: UInt32(line.lowerBound), nameCount: UInt32(colon - line.lowerBound),
            valueStart: UInt32(value.lowerBound), valueCount: UInt32(value.count))
    }
}
