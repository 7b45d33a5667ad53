import Loop

/// What `janji up` says when it is ready: what to open and what to try.
struct Welcome {
    let address: SocketAddress
    let email: String
    let password: String
    let seconds: Double

    func say() {
        let tenths = Int((seconds * 10).rounded())
        Console.line(
            """

            Janji is ready after \(tenths / 10).\(tenths % 10) s.

              students   http://\(address)/
              admin      http://\(address)/admin
                         \(email)   \(password)

            Try it:
              curl -s 'http://\(address)/api/courses'
              curl -s 'http://\(address)/api/booking/availability/find-slots?course_id=PIANO-101&page_size=3'
              rpcurl \(address) list
              rpcurl \(address) describe janji.booking.v1.Bookings
              rpcurl \(address) call janji.booking.v1.Availability/Watch '{"course_id":"PIANO-101"}'
              rpcurl -H "authorization: Bearer $(janji token booking)" \(address) \\
                call janji.booking.v1.Bookings/ListPending '{}'

            Ctrl-C stops everything; the data stays.

            """)
    }
}
