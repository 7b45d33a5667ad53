import CProtobufC

/// One encoding: an empty C struct in the thread's arena, packed by `end`.
@usableFromInline
struct EncodingScope {
    @usableFromInline let writer: MessageWriter
    private let mark: Arena.Mark

    @usableFromInline
    init(_ schema: MessageSchema) {
        let arena = Arena.current
        mark = arena.pointee.mark
        arena.pointee.budget = .max
        writer = MessageWriter(schema.table, arena)
    }

    /// Packs the struct and gives the arena's memory back.
    @usableFromInline
    func end(reserving reserved: Int) -> [UInt8] {
        let message = UnsafePointer(writer.base.assumingMemoryBound(to: ProtobufCMessage.self))
        let size = protobuf_c_message_get_packed_size(message)
        let bytes = [UInt8](unsafeUninitializedCapacity: reserved + size) { buffer, count in
            if let start = buffer.baseAddress {
                if reserved > 0 { start.initialize(repeating: 0, count: reserved) }
                _ = protobuf_c_message_pack(message, start + reserved)
            }
            count = reserved + size
        }
        writer.arena.pointee.release(mark)
        return bytes
    }
}
