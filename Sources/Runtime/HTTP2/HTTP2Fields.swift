import CNghttp2
import Glibc

/// A header block to send: built once, submitted as often as one likes.
public final class HTTP2Fields: @unchecked Sendable {  // changed only while it is built
    @exclusivity(unchecked) private var raw: [nghttp2_nv] = []
    private var owned: [UnsafeMutablePointer<UInt8>] = []
    /// As SETTINGS_MAX_HEADER_LIST_SIZE counts it: name + value + 32 each (RFC 9113 §6.5.2).
    public private(set) var listBytes = 0
    /// Whether the library may keep pointers into this block until its frame has been sent.
    private let isImmortal: Bool

    /// - Parameter immortal: the caller promises that the object outlives every session that
    ///   sends it; the library then copies nothing.
    public init(immortal: Bool = false) {
        isImmortal = immortal
    }

    /// A copy to add fields to.
    public init(copying other: HTTP2Fields) {
        isImmortal = false
        for field in other.raw {
            append(
                UnsafeRawBufferPointer(start: field.name, count: field.namelen),
                UnsafeRawBufferPointer(start: field.value, count: field.valuelen))
        }
    }

    deinit {
        for memory in owned { memory.deallocate() }
    }

    private var flags: UInt8 {
        isImmortal
            ? UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
            : 0
    }

    public func append(_ name: StaticString, _ value: StaticString) {
        listBytes += name.utf8CodeUnitCount + value.utf8CodeUnitCount + 32
        raw.append(
            nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.utf8Start),
                value: UnsafeMutablePointer(mutating: value.utf8Start),
                namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount,
                flags: UInt8(
                    NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
            ))
    }

    /// - Parameter indexed: false for values that never repeat: they stay out of the peer's table.
    public func append(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, indexed: Bool = true
    ) {
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: name.count + value.count + 1)
        if let start = name.baseAddress { memcpy(memory, start, name.count) }
        if let start = value.baseAddress { memcpy(memory + name.count, start, value.count) }
        owned.append(memory)
        listBytes += name.count + value.count + 32
        raw.append(
            nghttp2_nv(
                name: memory, value: memory + name.count, namelen: name.count,
                valuelen: value.count,
                flags: flags | (indexed ? 0 : UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue))))
    }

    public func append(_ name: String, _ value: some Collection<UInt8>, indexed: Bool = true) {
        Array(name.utf8).withUnsafeBytes { name in
            Array(value).withUnsafeBytes { value in append(name, value, indexed: indexed) }
        }
    }

    public func append(_ name: String, _ value: String, indexed: Bool = true) {
        append(name, value.utf8, indexed: indexed)
    }

    @inline(__always)
    func withRaw<R>(_ body: (UnsafePointer<nghttp2_nv>?, Int) -> R) -> R {
        raw.withUnsafeBufferPointer { body($0.baseAddress, $0.count) }
    }
}
