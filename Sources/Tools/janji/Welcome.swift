import Loop

/// What `janji up` says when it is ready: what to open and what to try.
struct Welcome {
    let address: SocketAddress
    let isSecure: Bool
    let email: String
    let password: String
    let seconds: Double

    func say() {
        let site = "\(isSecure ? "https" : "http")://\(address)"
        let server = isSecure ? site : "\(address)"
        let tenths = Int((seconds * 10).rounded())
        Console.line(
            """

            Janji is ready after \(tenths / 10).\(tenths % 10) s.

              students   \(site)/
              clinic     \(site)/book
              admin      \(site)/admin
                         \(email)   \(password)

            Try it:
              curl -s '\(site)/api/courses'
              curl -s '\(site)/api/booking/availability/find-slots?course_id=PIANO-101&page_size=3'
              rpcurl \(server) list
              rpcurl \(server) describe janji.booking.v1.Bookings
              rpcurl \(server) call janji.booking.v1.Availability/Watch '{"course_id":"PIANO-101"}'
              rpcurl -H "authorization: Bearer $(janji token booking)" \(server) \\
                call janji.booking.v1.Bookings/ListPending '{}'

            Ctrl-C stops everything; the data stays.

            """)
    }
}
