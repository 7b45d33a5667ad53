import Glibc

/// A received header block in flat storage. Filled anew by every block: what outlives the callback
/// must be copied out, or left in `memo`.
public final class HeaderBlock {
    private struct Entry: Hashable {
        var offset: Int32
        var nameCount: Int32
        var valueCount: Int32
    }

    @exclusivity(unchecked) private var maxBytes = 0
    @exclusivity(unchecked) private var maxFields = 0
    @exclusivity(unchecked) private var text = Storage(bytes: 1024)
    @exclusivity(unchecked) private var entries = Storage(bytes: 32 * MemoryLayout<Entry>.stride)
    @exclusivity(unchecked) private var previousText = Storage(bytes: 1024)
    @exclusivity(unchecked) private var previousEntries = Storage(
        bytes: 32 * MemoryLayout<Entry>.stride)
    @exclusivity(unchecked) private var previousCount = -1
    @exclusivity(unchecked) private var isWhole = false
    @exclusivity(unchecked) private var listBytes = 0
    // Other modules check their accesses to stored properties whatever the attribute says.
    @exclusivity(unchecked) private var fieldCount = 0
    @exclusivity(unchecked) private var exceedsLimits = false
    @exclusivity(unchecked) private var kept: AnyObject?
    public var count: Int { fieldCount }
    /// The block was larger than the limits; the rest of it was dropped.
    public var isTooLarge: Bool { exceedsLimits }
    /// What the reader made of the block. Still there when the next block of the kind is the same,
    /// byte for byte, as most are: nil means that it has to be read.
    public var memo: AnyObject? {
        get { kept }
        set { kept = newValue }
    }

    init() {}

    /// Memory that grows, and is kept.
    private struct Storage: ~Copyable {
        var start: UnsafeMutableRawPointer
        var capacity: Int
        var used = 0

        init(bytes: Int) {
            start = .allocate(byteCount: bytes, alignment: 16)
            capacity = bytes
        }

        deinit {
            start.deallocate()
        }

        @inline(__always)
        mutating func reserve(_ count: Int) {
            if used &+ count > capacity { grow(count) }
        }

        private mutating func grow(_ count: Int) {
            capacity = max(capacity * 2, used + count)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            memcpy(larger, start, used)
            start.deallocate()
            start = larger
        }

        func isEqual(_ other: borrowing Storage) -> Bool {
            used == other.used && memcmp(start, other.start, used) == 0
        }
    }

    func begin(maxBytes: Int, maxFields: Int) {
        self.maxBytes = maxBytes
        self.maxFields = maxFields
        swap(&text, &previousText)
        swap(&entries, &previousEntries)
        // A block that the library gave up cannot be compared with.
        previousCount = isWhole && !isTooLarge ? count : -1
        isWhole = false
        text.used = 0
        entries.used = 0
        listBytes = 0
        fieldCount = 0
        exceedsLimits = false
    }

    /// The block has arrived with all its fields.
    func end() {
        isWhole = true
        let isSame =
            count == previousCount && !isTooLarge && entries.isEqual(previousEntries)
            && text.isEqual(previousText)
        if !isSame { kept = nil }
    }

    /// Returns false when the block is so large that it need not be looked at further: each of
    /// its fields costs the peer one byte and us the check of a whole value.
    func append(
        _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>,
        _ valueCount: Int
    ) -> Bool {
        listBytes &+= nameCount &+ valueCount &+ 32
        guard listBytes <= maxBytes, fieldCount < maxFields else {
            exceedsLimits = true
            return listBytes <= 4 * maxBytes
        }
        text.reserve(nameCount &+ valueCount)
        memcpy(text.start + text.used, name, nameCount)
        memcpy(text.start + text.used + nameCount, value, valueCount)
        entries.reserve(MemoryLayout<Entry>.stride)
        (entries.start + entries.used).storeBytes(
            of: Entry(
                offset: Int32(truncatingIfNeeded: text.used),
                nameCount: Int32(truncatingIfNeeded: nameCount),
                valueCount: Int32(truncatingIfNeeded: valueCount)), as: Entry.self)
        text.used &+= nameCount &+ valueCount
        entries.used &+= MemoryLayout<Entry>.stride
        fieldCount &+= 1
        return true
    }

    @inline(__always)
    private func entry(_ index: Int) -> Entry {
        precondition(index >= 0 && index < count, "no such header field")
        return entries.start.load(
            fromByteOffset: index &* MemoryLayout<Entry>.stride, as: Entry.self)
    }

    @inline(__always)
    public func name(_ index: Int) -> UnsafeRawBufferPointer {
        let entry = entry(index)
        return UnsafeRawBufferPointer(
            start: text.start + Int(entry.offset), count: Int(entry.nameCount))
    }

    /// The value, without the spaces and tabs around it.
    @inline(__always)
    public func value(_ index: Int) -> UnsafeRawBufferPointer {
        let entry = entry(index)
        var start = text.start + Int(entry.offset) + Int(entry.nameCount)
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
