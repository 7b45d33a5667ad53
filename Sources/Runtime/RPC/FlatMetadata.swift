/// Custom header fields as the transport met them, in one array: for each field the length of
/// its name (2 bytes, little endian), of its value (4 bytes), then both. Parsed only when asked.
package struct FlatMetadata: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package var isEmpty: Bool { bytes.isEmpty }

    package mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        if bytes.isEmpty { bytes.reserveCapacity(256) }
        bytes.append(UInt8(truncatingIfNeeded: name.count))
        bytes.append(UInt8(truncatingIfNeeded: name.count >> 8))
        for shift in [0, 8, 16, 24] {
            bytes.append(UInt8(truncatingIfNeeded: value.count >> shift))
        }
        bytes.append(contentsOf: name)
        bytes.append(contentsOf: value)
    }

    package func fields(_ body: (ArraySlice<UInt8>, ArraySlice<UInt8>) -> Void) {
        var index = 0
        while index + 6 <= bytes.count {
            let nameCount = Int(bytes[index]) | Int(bytes[index + 1]) << 8
            let valueCount = (0..<4).reduce(0) { $0 | Int(bytes[index + 2 + $1]) << (8 * $1) }
            let name = index + 6
            let value = name + nameCount
            body(bytes[name..<value], bytes[value..<value + valueCount])
            index = value + valueCount
        }
    }
}

extension Metadata {
    /// Decodes the fields: `-bin` values are base64, padded or not, several joined by commas.
    package init(_ flat: FlatMetadata) {
        self.init()
        flat.fields { name, value in
            let name = String(decoding: name, as: UTF8.self)
            guard name.hasSuffix("-bin") else {
                append(unchecked: name, .text(String(decoding: value, as: UTF8.self)))
                return
            }
            for part in value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            {
                if let bytes = MetadataBase64.decode(part) {
                    append(unchecked: name, .binary(bytes))
                }
            }
        }
    }
}
