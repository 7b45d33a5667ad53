/// One encoding: an empty C struct in the thread's arena, packed by `end`.
@usableFromInline
struct EncodingScope {
    @usableFromInline let writer: MessageWriter
    private let mark: Arena.Mark

    @usableFromInline
    init(_ schema: borrowing MessageSchema) {
        let arena = Arena.current
        mark = arena.pointee.mark
        arena.pointee.budget = .max
        writer = MessageWriter(schema.table, arena)
    }

    /// Packs the struct. The bytes are valid until `end`.
    @usableFromInline
    func pack() -> UnsafeRawBufferPointer {
        var packer = MessagePacker(writer.arena)
        packer.pack(writer.base)
        return packer.finish()
    }

    /// Gives the arena's memory back.
    @usableFromInline
    func end() {
        writer.arena.pointee.release(mark)
    }

    /// Packs the struct and gives the arena's memory back.
    @usableFromInline
    func end(reserving reserved: Int) -> [UInt8] {
        let packed = pack()
        defer { end() }
        if reserved == 0 { return [UInt8](packed) }
        var bytes = [UInt8](repeating: 0, count: reserved)
        bytes.reserveCapacity(reserved + packed.count)
        bytes.append(contentsOf: packed)
        return bytes
    }
}
