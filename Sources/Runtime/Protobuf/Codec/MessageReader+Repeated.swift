extension MessageReader {
    /// The number of elements of a repeated field or entries of a map.
    @inlinable
    public func count(_ i: Int) -> Int { slot(i).load(as: Int.self) }

    @inlinable @inline(__always)
    func elements<T: BitwiseCopyable>(_ i: Int, _ type: T.Type) -> [T] {
        let count = count(i)
        guard count > 0, let start = value(i, UnsafeRawPointer?.self) else { return [] }
        let typed = start.assumingMemoryBound(to: type)
        return [T](UnsafeBufferPointer(start: typed, count: count))
    }

    @inlinable public func int32s(_ i: Int) -> [Int32] { elements(i, Int32.self) }
    @inlinable public func int64s(_ i: Int) -> [Int64] { elements(i, Int64.self) }
    @inlinable public func uint32s(_ i: Int) -> [UInt32] { elements(i, UInt32.self) }
    @inlinable public func uint64s(_ i: Int) -> [UInt64] { elements(i, UInt64.self) }
    @inlinable public func floats(_ i: Int) -> [Float] { elements(i, Float.self) }
    @inlinable public func doubles(_ i: Int) -> [Double] { elements(i, Double.self) }
    @inlinable public func enumerations(_ i: Int) -> [Int32] { elements(i, Int32.self) }
    @inlinable public func bools(_ i: Int) -> [Bool] { elements(i, Int32.self).map { $0 != 0 } }

    @inlinable
    public func strings(_ i: Int) -> [String] {
        let count = count(i)
        guard count > 0, let start = value(i, UnsafeRawPointer?.self) else { return [] }
        return (0..<count).map { MessageReader.string(at: start + 16 &* $0) }
    }

    @inlinable
    public func bytesList(_ i: Int) -> [[UInt8]] {
        let count = count(i)
        guard count > 0, let start = value(i, UnsafeRawPointer?.self) else { return [] }
        return (0..<count).map { MessageReader.bytes(at: start + 16 &* $0) }
    }

    @inlinable
    public func messages<T: Message>(_ i: Int, _ type: T.Type) throws(ProtobufError) -> [T] {
        let count = count(i)
        guard count > 0 else { return [] }
        var result: [T] = []
        result.reserveCapacity(count)
        for k in 0..<count { result.append(try T(reading: entry(i, k))) }
        return result
    }

    /// Entry `k` of map field `i`: field 0 is the key, field 1 the value.
    @inlinable
    public func entry(_ i: Int, _ k: Int) -> MessageReader {
        let list = value(i, UnsafeRawPointer.self)
        return MessageReader(base: list.load(fromByteOffset: 8 &* k, as: UnsafeRawPointer.self))
    }
}
