import CProtobufC

/// One decoding: guarded bytes unpacked by libprotobuf-c into the thread's arena.
///
/// The reader is valid until `end`, which must be called once, on the same thread.
@usableFromInline
struct DecodingScope {
    @usableFromInline let reader: MessageReader
    private let arena: UnsafeMutablePointer<Arena>
    private let mark: Arena.Mark

    @usableFromInline
    init(
        _ schema: MessageSchema, _ bytes: UnsafeRawBufferPointer, _ limits: DecodingLimits
    ) throws(ProtobufError) {
        let table = schema.table
        var guardian = MessageGuard(bytes, limits)
        let verdict = try guardian.check(table)
        let arena = Arena.current
        let mark = arena.pointee.mark
        self.arena = arena
        self.mark = mark
        arena.pointee.budget = limits.memory
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
        // libprotobuf-c is never given a null pointer, even for an empty message.
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
