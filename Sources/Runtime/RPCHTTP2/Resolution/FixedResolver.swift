import Loop

/// Addresses that need no looking up.
struct FixedResolver: NameResolver {
    private let addresses: [SocketAddress]

    init(_ addresses: [SocketAddress]) {
        self.addresses = addresses
    }

    func start(on loop: EventLoop, _ report: @escaping @Sendable (NameResolution) -> Void) {
        report(NameResolution(addresses: .success(addresses)))
    }
}
