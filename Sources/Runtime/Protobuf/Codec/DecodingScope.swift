import CProtobufC

/// One decoding: bytes unpacked into the thread's arena, by `MessageUnpacker` or, when it gives up,
/// by libprotobuf-c behind the guard.
///
/// The reader is valid until `end`, which must be called once, on the same thread.
@usableFromInline
struct DecodingScope {
    @usableFromInline let reader: MessageReader
    private let arena: UnsafeMutablePointer<Arena>
    private let mark: Arena.Mark

    @usableFromInline
    init(
        _ schema: borrowing MessageSchema, _ bytes: UnsafeRawBufferPointer, _ limits: DecodingLimits
    ) throws(ProtobufError) {
        let table = schema.table
        let arena = Arena.current
        let mark = arena.pointee.mark
        self.arena = arena
        self.mark = mark
        arena.pointee.budget = limits.memory
        // libprotobuf-c is never given a null pointer, even for an empty message.
        let start = bytes.baseAddress ?? UnsafeRawPointer(arena)
        var unpacker = MessageUnpacker(arena, limits)
        if let base = unpacker.unpack(table, start, start + bytes.count, limits.depth) {
            reader = MessageReader(base: UnsafeRawPointer(base))
            return
        }
        arena.pointee.release(mark)
        arena.pointee.budget = limits.memory
        var guardian = MessageGuard(bytes, limits)
        let verdict = try guardian.check(table)
        let base =
            switch verdict {
            case .clean: DecodingScope.unpack(table, bytes, arena)
            case .rewritten(let copy):
                copy.withUnsafeBytes { DecodingScope.unpack(table, $0, arena) }
            }
        guard let base else {
            arena.pointee.release(mark)
            throw ProtobufError(
                .tooLarge, "decoding takes more than \(limits.memory) bytes of memory")
        }
        reader = MessageReader(base: base)
    }

    private static func unpack(
        _ table: UnsafeMutablePointer<MessageTable>, _ bytes: UnsafeRawBufferPointer,
        _ arena: UnsafeMutablePointer<Arena>
    ) -> UnsafeRawPointer? {
        let descriptor = table.pointee.descriptor
            .assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
        let data = bytes.baseAddress ?? UnsafeRawPointer(arena)
        return withUnsafeMutablePointer(to: &arena.pointee.allocator) { allocator in
            UnsafeRawPointer(
                protobuf_c_message_unpack(
                    descriptor, allocator, bytes.count,
                    data.assumingMemoryBound(to: UInt8.self)))
        }
    }

    @usableFromInline
    func end() {
        arena.pointee.release(mark)
    }
}
