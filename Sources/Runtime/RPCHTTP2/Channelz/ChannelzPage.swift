import RPC

/// A part of a list, as channelz asks for it.
struct ChannelzPage {
    /// When the client leaves the size to us, and at most.
    static let usualSize: Int64 = 100
    static let maxSize: Int64 = 1000

    private let start: Int64
    private let size: Int

    /// - Throws: INVALID_ARGUMENT for a negative size.
    init(from start: Int64, atMost size: Int64) throws(RPCError) {
        guard size >= 0 else {
            throw RPCError(.invalidArgument, "max_results is negative", blame: .caller)
        }
        self.start = start
        self.size = Int(size == 0 ? ChannelzPage.usualSize : min(size, ChannelzPage.maxSize))
    }

    /// Those with the start's id or a higher one, the lowest first.
    /// - Returns: `end`: no more follow.
    func cut<Value>(_ listed: [Int64: Value]) -> ([Value], end: Bool) {
        let ids = listed.keys.filter { $0 >= start }.sorted()
        return (ids.prefix(size).compactMap { listed[$0] }, ids.count <= size)
    }
}
