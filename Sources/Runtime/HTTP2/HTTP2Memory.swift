/// The memory that the sessions of one loop share, because only one of them is at work at a time:
/// output buffer, header blocks, and a pool for what libnghttp2 allocates. An idle connection owns
/// none of the first two. Confined to that loop.
public final class HTTP2Memory {
    /// What a header block belongs to. Kept apart so that a block can be compared with the one
    /// before it of its kind.
    enum BlockKind: Int {
        case request, response, trailers
    }

    private static let spareBlocks = 4

    let library = LibraryMemory()
    /// Empty unless a session is flushing.
    @exclusivity(unchecked) var output = ByteQueue(keeping: 512 << 10)
    @exclusivity(unchecked) private var blocks: [[HeaderBlock]] = [[], [], []]

    public init() {}

    func takeBlock(_ kind: BlockKind, _ configuration: HTTP2Configuration) -> HeaderBlock {
        let block = blocks[kind.rawValue].popLast() ?? HeaderBlock()
        block.begin(
            maxBytes: configuration.maxHeaderListBytes, maxFields: configuration.maxHeaderFields)
        return block
    }

    func giveBack(_ block: HeaderBlock, _ kind: BlockKind) {
        guard blocks[kind.rawValue].count < HTTP2Memory.spareBlocks else { return }
        blocks[kind.rawValue].append(block)
    }
}
