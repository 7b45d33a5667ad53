/// What every generated service protocol refines.
public protocol RPCService: Sendable {
    /// The full name, for example `janji.booking.v1.Booking`.
    static var serviceName: String { get }
    /// Adds every method of the service to the router.
    func register(in router: Router)
}
