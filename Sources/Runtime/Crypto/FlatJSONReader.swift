/// A recursive-descent reader without the recursion: nested values are refused.
struct FlatJSONReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The whole input as one object.
    mutating func object() -> [String: FlatJSON.Value]? {
        var members: [String: FlatJSON.Value] = [:]
        skipSpace()
        guard take("{") else { return nil }
        skipSpace()
        if !take("}") {
            repeat {
                skipSpace()
                guard let name = string() else { return nil }
                skipSpace()
                guard take(":") else { return nil }
                skipSpace()
                guard let value = value(), members.updateValue(value, forKey: name) == nil
                else { return nil }
                skipSpace()
            } while take(",")
            guard take("}") else { return nil }
        }
        skipSpace()
        return position == bytes.count ? members : nil
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: scalar) else { return false }
        position += 1
        return true
    }

    private mutating func take(word: StaticString) -> Bool {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count,
            bytes[position..<end].elementsEqual(
                UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        else { return false }
        position = end
        return true
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func value() -> FlatJSON.Value? {
        switch next {
        case UInt8(ascii: "\""): string().map { .string($0) }
        case UInt8(ascii: "t"): take(word: "true") ? .bool(true) : nil
        case UInt8(ascii: "f"): take(word: "false") ? .bool(false) : nil
        case UInt8(ascii: "n"): take(word: "null") ? .null : nil
        default: number().map { .number($0) }
        }
    }

    private mutating func number() -> Double? {
        let start = position
        _ = take("-")
        if !take("0") {
            guard digits() else { return nil }
        }
        if take(".") {
            guard digits() else { return nil }
        }
        if take("e") || take("E") {
            _ = take("+") || take("-")
            guard digits() else { return nil }
        }
        let value = Double(String(decoding: bytes[start..<position], as: UTF8.self))
        return value.flatMap { $0.isFinite ? $0 : nil }
    }

    private mutating func digits() -> Bool {
        let start = position
        while let byte = next, byte >= 0x30, byte <= 0x39 { position += 1 }
        return position > start
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let scalar = escape() else { return nil }
                text.append(contentsOf: UTF8.encode(scalar) ?? .init())
            case 0..<0x20: return nil
            default: text.append(byte)
            }
        }
        return nil
    }

    /// What follows a backslash.
    private mutating func escape() -> Unicode.Scalar? {
        guard let byte = next else { return nil }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let unit = hexUnit() else { return nil }
            guard unit & 0xFC00 == 0xD800 else { return Unicode.Scalar(unit) }
            guard take("\\"), take("u"), let low = hexUnit(), low & 0xFC00 == 0xDC00
            else { return nil }
            return Unicode.Scalar((unit - 0xD800) << 10 + (low - 0xDC00) + 0x10000)
        default: return nil
        }
    }

    private mutating func hexUnit() -> UInt32? {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let value = Hex.value(byte) else { return nil }
            position += 1
            unit = unit << 4 | UInt32(value)
        }
        return unit
    }
}
