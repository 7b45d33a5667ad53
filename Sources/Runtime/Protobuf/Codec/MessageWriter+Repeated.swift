extension MessageWriter {
    @inlinable @inline(__always)
    func list<T: BitwiseCopyable>(_ i: Int, _ values: [T]) {
        guard !values.isEmpty else { return }
        values.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            let memory = room(i, values.count, stride: MemoryLayout<T>.stride)
            memory.copyMemory(from: start, byteCount: source.count)
        }
    }

    /// Takes an array of `count` elements and hangs it into field `i`.
    @inlinable @inline(__always)
    func room(_ i: Int, _ count: Int, stride: Int) -> UnsafeMutableRawPointer {
        let memory = arena.pointee.require(count &* stride)
        slot(i).storeBytes(of: count, as: Int.self)
        store(i, memory)
        return memory
    }

    @inlinable public func int32s(_ i: Int, _ values: [Int32]) { list(i, values) }
    @inlinable public func int64s(_ i: Int, _ values: [Int64]) { list(i, values) }
    @inlinable public func uint32s(_ i: Int, _ values: [UInt32]) { list(i, values) }
    @inlinable public func uint64s(_ i: Int, _ values: [UInt64]) { list(i, values) }
    @inlinable public func floats(_ i: Int, _ values: [Float]) { list(i, values) }
    @inlinable public func doubles(_ i: Int, _ values: [Double]) { list(i, values) }
    @inlinable public func enumerations(_ i: Int, _ values: [Int32]) { list(i, values) }

    @inlinable
    public func bools(_ i: Int, _ values: [Bool]) { list(i, values.map { Int32($0 ? 1 : 0) }) }

    @inlinable
    public func strings(_ i: Int, _ values: [String]) {
        guard !values.isEmpty else { return }
        let memory = binaries(i, values.count)
        for k in values.indices { copy(values[k], to: memory + 16 &* k) }
    }

    @inlinable
    public func bytesList(_ i: Int, _ values: [[UInt8]]) {
        guard !values.isEmpty else { return }
        let memory = binaries(i, values.count)
        for k in values.indices { copy(values[k], to: memory + 16 &* k) }
    }

    /// Zeroed, because empty values are not copied.
    @inlinable
    func binaries(_ i: Int, _ count: Int) -> UnsafeMutableRawPointer {
        let memory = room(i, count, stride: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: count &* 16)
        return memory
    }

    @inlinable
    public func messages<T: Message>(_ i: Int, _ values: [T]) {
        guard !values.isEmpty else { return }
        let memory = room(i, values.count, stride: 8)
        let table = T.schema.table
        for k in values.indices {
            let child = MessageWriter(table, arena)
            memory.storeBytes(
                of: child.base, toByteOffset: 8 &* k, as: UnsafeMutableRawPointer.self)
            values[k].write(to: child)
        }
    }

    /// Makes room for the entries of a map; every one of them must then be written by `entry`.
    @inlinable
    public func entries(_ i: Int, _ count: Int) {
        if count > 0 { _ = room(i, count, stride: 8) }
    }

    /// Entry `k` of map field `i`: field 0 is the key, field 1 the value.
    @inlinable
    public func entry(_ i: Int, _ k: Int) -> MessageWriter {
        let field = StructLayout.table(of: base).pointee.fields + i
        guard let table = field.pointee.message else { fatalError("field \(i) is not a map") }
        let child = MessageWriter(table, arena)
        // Keys and values are sent even when they are defaults, as the official encoders do.
        child.slot(0).storeBytes(of: 1, as: Int32.self)
        child.slot(1).storeBytes(of: 1, as: Int32.self)
        slot(i).load(fromByteOffset: 8, as: UnsafeMutableRawPointer.self)
            .storeBytes(of: child.base, toByteOffset: 8 &* k, as: UnsafeMutableRawPointer.self)
        return child
    }
}
