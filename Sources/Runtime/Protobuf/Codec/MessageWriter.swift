/// Fills the C struct that libprotobuf-c packs; `i` is the field's index in declaration order.
///
/// Valid only inside `Message.write(to:)`. Strings and bytes are copied into the arena.
public struct MessageWriter {
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let arena: UnsafeMutablePointer<Arena>

    @inlinable @inline(__always)
    init(base: UnsafeMutableRawPointer, arena: UnsafeMutablePointer<Arena>) {
        self.base = base
        self.arena = arena
    }

    @inlinable @inline(__always)
    func slot(_ i: Int) -> UnsafeMutableRawPointer { base + (24 &+ 24 &* i) }

    @inlinable @inline(__always)
    func store<T: BitwiseCopyable>(_ i: Int, _ value: T) {
        slot(i).storeBytes(of: value, toByteOffset: 8, as: T.self)
    }

    // MARK: Implicit presence: defaults are not sent

    @inlinable public func int32(_ i: Int, _ value: Int32) { store(i, value) }
    @inlinable public func int64(_ i: Int, _ value: Int64) { store(i, value) }
    @inlinable public func uint32(_ i: Int, _ value: UInt32) { store(i, value) }
    @inlinable public func uint64(_ i: Int, _ value: UInt64) { store(i, value) }
    @inlinable public func bool(_ i: Int, _ value: Bool) { store(i, Int32(value ? 1 : 0)) }
    @inlinable public func enumeration(_ i: Int, _ value: Int32) { store(i, value) }
    @inlinable public func string(_ i: Int, _ value: String) { copy(value, to: slot(i) + 8) }
    @inlinable public func bytes(_ i: Int, _ value: [UInt8]) { copy(value, to: slot(i) + 8) }

    // libprotobuf-c takes -0.0 for the default, so these fields carry a has flag of their own.
    @inlinable
    public func float(_ i: Int, _ value: Float) {
        store(i, value)
        if value.bitPattern != 0 { slot(i).storeBytes(of: 1, as: Int32.self) }
    }

    @inlinable
    public func double(_ i: Int, _ value: Double) {
        store(i, value)
        if value.bitPattern != 0 { slot(i).storeBytes(of: 1, as: Int32.self) }
    }

    // MARK: Explicit presence: optional fields and members of a oneof

    @inlinable
    public func setInt32(_ i: Int, _ value: Int32) {
        store(i, value)
        mark(i)
    }

    @inlinable
    public func setInt64(_ i: Int, _ value: Int64) {
        store(i, value)
        mark(i)
    }

    @inlinable
    public func setUint32(_ i: Int, _ value: UInt32) {
        store(i, value)
        mark(i)
    }

    @inlinable
    public func setUint64(_ i: Int, _ value: UInt64) {
        store(i, value)
        mark(i)
    }

    @inlinable
    public func setFloat(_ i: Int, _ value: Float) {
        store(i, value)
        mark(i)
    }

    @inlinable
    public func setDouble(_ i: Int, _ value: Double) {
        store(i, value)
        mark(i)
    }

    @inlinable
    public func setBool(_ i: Int, _ value: Bool) {
        store(i, Int32(value ? 1 : 0))
        mark(i)
    }

    @inlinable
    public func setEnumeration(_ i: Int, _ value: Int32) {
        store(i, value)
        mark(i)
    }

    @inlinable
    public func setString(_ i: Int, _ value: String) {
        copy(value, to: slot(i) + 8)
        mark(i)
    }

    @inlinable
    public func setBytes(_ i: Int, _ value: [UInt8]) {
        copy(value, to: slot(i) + 8)
        mark(i)
    }

    /// Sets a sub-message, also as a member of a oneof; nil leaves the field unset.
    @inlinable
    public func message<T: Message>(_ i: Int, _ value: T?) {
        guard let value else { return }
        let child = MessageWriter(T.schema.table, arena)
        store(i, child.base)
        mark(i)
        value.write(to: child)
    }

    @inlinable
    public func unknownFields(_ fields: UnknownFields) {
        if !fields.isEmpty { unknownBytes(fields.bytes) }
    }

    /// Sets the has flag or the oneof's case.
    @inlinable @inline(__always)
    func mark(_ i: Int) {
        let field = StructLayout.table(of: base).pointee.fields + i
        let isMember = field.pointee.presence == .oneof
        base.storeBytes(
            of: isMember ? field.pointee.number : 1, toByteOffset: field.pointee.quantifier,
            as: Int32.self)
    }

    /// An empty struct of a message type.
    @inlinable
    init(_ table: UnsafeMutablePointer<MessageTable>, _ arena: UnsafeMutablePointer<Arena>) {
        let size = table.pointee.size
        base = arena.pointee.require(size)
        self.arena = arena
        base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        base.storeBytes(of: table.pointee.descriptor, as: UnsafeRawPointer.self)
    }

    @inlinable
    func copy(_ value: String, to binary: UnsafeMutableRawPointer) {
        let isCopied: Void? = value.utf8.withContiguousStorageIfAvailable {
            copy(UnsafeRawBufferPointer($0), to: binary)
        }
        if isCopied == nil { copy(Array(value.utf8), to: binary) }
    }

    @inlinable
    func copy(_ value: [UInt8], to binary: UnsafeMutableRawPointer) {
        value.withUnsafeBytes { copy($0, to: binary) }
    }

    @inlinable
    func copy(_ value: UnsafeRawBufferPointer, to binary: UnsafeMutableRawPointer) {
        guard let source = value.baseAddress, value.count > 0 else { return }
        let memory = arena.pointee.require(value.count)
        memory.copyMemory(from: source, byteCount: value.count)
        binary.storeBytes(of: value.count, as: Int.self)
        binary.storeBytes(of: memory, toByteOffset: 8, as: UnsafeMutableRawPointer.self)
    }

    @usableFromInline
    func unknownBytes(_ bytes: [UInt8]) {
        // One C entry carries all: its tag is the first field's, its data the rest, verbatim.
        var reader = WireReader(bytes)
        guard let first = try? reader.tag() else { return }
        let entry = arena.pointee.require(24)
        entry.storeBytes(of: first.number, as: UInt32.self)
        entry.storeBytes(of: UInt32(first.type.rawValue), toByteOffset: 4, as: UInt32.self)
        copy(Array(bytes[reader.offset...]), to: entry + 8)
        base.storeBytes(of: 1, toByteOffset: 8, as: UInt32.self)
        base.storeBytes(of: entry, toByteOffset: 16, as: UnsafeMutableRawPointer.self)
    }
}
