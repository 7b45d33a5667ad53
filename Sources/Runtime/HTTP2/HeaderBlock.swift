import Glibc

/// A received header block in flat storage. One per session, filled anew by every block (a
/// connection never interleaves two): what outlives the callback must be copied out.
public final class HeaderBlock {
    private struct Entry {
        var offset: Int32
        var nameCount: Int32
        var valueCount: Int32
    }

    private let maxBytes: Int
    private let maxFields: Int
    private let memory: UnsafeMutableRawPointer
    private let entries: UnsafeMutablePointer<Entry>
    @exclusivity(unchecked) private var used = 0
    @exclusivity(unchecked) private var listBytes = 0
    @exclusivity(unchecked) public private(set) var count = 0
    /// The block was larger than the limits; the rest of it was dropped.
    @exclusivity(unchecked) public private(set) var isTooLarge = false

    init(maxBytes: Int, maxFields: Int) {
        self.maxBytes = maxBytes
        self.maxFields = maxFields
        memory = .allocate(byteCount: maxBytes, alignment: 16)
        entries = .allocate(capacity: maxFields)
    }

    deinit {
        memory.deallocate()
        entries.deallocate()
    }

    func reset() {
        used = 0
        listBytes = 0
        count = 0
        isTooLarge = false
    }

    /// Returns false when the block is so large that it need not be looked at further: each of
    /// its fields costs the peer one byte and us the check of a whole value.
    func append(
        _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>,
        _ valueCount: Int
    ) -> Bool {
        listBytes += nameCount + valueCount + 32
        guard listBytes <= maxBytes, count < maxFields else {
            isTooLarge = true
            return listBytes <= 4 * maxBytes
        }
        memcpy(memory + used, name, nameCount)
        memcpy(memory + used + nameCount, value, valueCount)
        entries[count] = Entry(
            offset: Int32(used), nameCount: Int32(nameCount), valueCount: Int32(valueCount))
        used += nameCount + valueCount
        count += 1
        return true
    }

    @inline(__always)
    public func name(_ index: Int) -> UnsafeRawBufferPointer {
        let entry = entries[index]
        return UnsafeRawBufferPointer(
            start: memory + Int(entry.offset), count: Int(entry.nameCount))
    }

    /// The value, without the spaces and tabs around it.
    @inline(__always)
    public func value(_ index: Int) -> UnsafeRawBufferPointer {
        let entry = entries[index]
        var start = memory + Int(entry.offset) + Int(entry.nameCount)
        var length = Int(entry.valueCount)
        while length > 0, HeaderBlock.isBlank(start.load(as: UInt8.self)) {
            start += 1
            length -= 1
        }
        while length > 0,
            HeaderBlock.isBlank(start.load(fromByteOffset: length - 1, as: UInt8.self))
        {
            length -= 1
        }
        return UnsafeRawBufferPointer(start: start, count: length)
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// A 1xx response, which says nothing yet.
    var isInformational: Bool {
        count > 0 && name(0).isEqual(to: ":status")
            && value(0).first == UInt8(ascii: "1")
    }

    /// The first value of this name, for what is asked rarely.
    public func first(_ name: StaticString) -> String? {
        for index in 0..<count where self.name(index).isEqual(to: name) {
            return String(decoding: value(index), as: UTF8.self)
        }
        return nil
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    public func isEqual(to text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        guard let baseAddress else { return count == 0 }
        return memcmp(baseAddress, text.utf8Start, count) == 0
    }
}
