public import Loop
import Synchronization

/// A resolver whose owner says what the addresses are: for tests, and for addresses that come from
/// somewhere else (a file, a registry).
public final class ManualResolver: NameResolver {
    private struct State {
        var resolution: NameResolution?
        var report: (@Sendable (NameResolution) -> Void)?
        var refreshes = 0
    }

    private let state = Mutex(State())
    public let mayConfigure: Bool

    /// - Parameters:
    ///   - addresses: nil: calls wait until the first `update`.
    ///   - mayConfigure: updates may carry a service config.
    public init(_ addresses: [SocketAddress]? = nil, mayConfigure: Bool = false) {
        self.mayConfigure = mayConfigure
        guard let addresses else { return }
        state.withLock { $0.resolution = NameResolution(addresses: .success(addresses)) }
    }

    /// Replaces what the channel knows. From any thread, as often as one likes.
    public func update(_ resolution: NameResolution) {
        let report = state.withLock { state in
            state.resolution = resolution
            return state.report
        }
        report?(resolution)
    }

    public func update(_ addresses: [SocketAddress]) {
        update(NameResolution(addresses: .success(addresses)))
    }

    /// How often the channel asked for fresh addresses.
    public var refreshes: Int { state.withLock { $0.refreshes } }

    public func start(on loop: EventLoop, _ report: @escaping @Sendable (NameResolution) -> Void) {
        let known = state.withLock { state in
            state.report = report
            return state.resolution
        }
        if let known { report(known) }
    }

    public func refresh() {
        state.withLock { $0.refreshes += 1 }
    }

    public func stop() {
        state.withLock { $0.report = nil }
    }
}
