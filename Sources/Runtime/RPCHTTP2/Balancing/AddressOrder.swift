import Loop
import RPC

/// In which order addresses are tried, and how the failures of several are told as one.
enum AddressOrder {
    private enum Family: Hashable { case ipv4, ipv6, unix }

    private static func family(_ address: SocketAddress) -> Family {
        switch address {
        case .ipv4: .ipv4
        case .ipv6: .ipv6
        case .unix: .unix
        }
    }

    /// The families in turn, beginning with that of the first address, each in its own order
    /// (RFC 8305 §4); without repetitions.
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        var order: [Family] = []
        var queues: [Family: [SocketAddress]] = [:]
        for address in unique(addresses) {
            let family = family(address)
            if queues[family] == nil { order.append(family) }
            queues[family, default: []].append(address)
        }
        let longest = queues.values.map(\.count).max() ?? 0
        return (0..<longest).flatMap { index in
            order.compactMap { family in
                queues[family].flatMap { index < $0.count ? $0[index] : nil }
            }
        }
    }

    static func unique(_ addresses: [SocketAddress]) -> [SocketAddress] {
        var seen: Set<SocketAddress> = []
        return addresses.filter { seen.insert($0).inserted }
    }

    /// Failures that are told one by one.
    private static let told = 4

    /// One error for the failures of all addresses of a target: the last, with every cause.
    static func joined(_ errors: [RPCError], _ authority: String) -> RPCError? {
        guard var error = errors.last else { return nil }
        var causes = AddressOrder.uniqueCauses(errors)
        if causes.count > told {
            causes = Array(causes.prefix(told)) + ["and \(causes.count - told) more"]
        }
        error.cause = "\(causes.joined(separator: "; ")), for \(authority)"
        return error
    }

    private static func uniqueCauses(_ errors: [RPCError]) -> [String] {
        var seen: Set<String> = []
        return errors.map { $0.cause ?? $0.message }.filter { seen.insert($0).inserted }
    }
}
