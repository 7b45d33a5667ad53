import Synchronization

/// Something that was made from files, and is made anew when they change. Any thread.
final class Reloadable<Material: Sendable>: Sendable {
    private struct State {
        var material: Material
        /// Of the files from which it was made.
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

    /// Files that cannot be used change nothing, and are tried again at the next look: what was in
    /// the way may be something that no file shows, such as the rights of a folder.
    func reloadIfChanged() throws(TLSError) -> Bool {
        let stamps = FileStamp.all(sources)
        guard state.withLock({ $0.stamps != stamps }) else { return false }
        let material = try load()
        state.withLock { $0 = State(material: material, stamps: stamps) }
        return true
    }
}
