import Synchronization

/// Something that was made from files, and is made anew when they change. Any thread.
final class Reloadable<Material: Sendable>: Sendable {
    private struct State {
        var material: Material
        /// Of the files when they were last read, whether or not they could be used.
        var stamps: [String: FileStamp?]
    }

    private let sources: [TLSSource?]
    private let load: @Sendable () throws(TLSError) -> Material
    private let state: Mutex<State>

    /// Reads the files; blocks meanwhile.
    init(
        _ sources: [TLSSource?], _ load: @escaping @Sendable () throws(TLSError) -> Material
    ) throws(TLSError) {
        self.sources = sources
        self.load = load
        // Before reading: a change in between is then seen at the next look.
        let stamps = FileStamp.all(sources)
        state = Mutex(State(material: try load(), stamps: stamps))
    }

    var current: Material { state.withLock { $0.material } }

    /// Files that cannot be used change nothing, and are tried again when they change again.
    func reloadIfChanged() throws(TLSError) -> Bool {
        let stamps = FileStamp.all(sources)
        let isNew = state.withLock { state in
            if state.stamps == stamps { return false }
            state.stamps = stamps
            return true
        }
        guard isNew else { return false }
        let material = try load()
        state.withLock { $0.material = material }
        return true
    }
}
