package server

// sampleCustomer is a customer of the demo.
type sampleCustomer struct{ name, condition string }

var sampleCustomers = []sampleCustomer{
	{"Carmel Solar", "City in ('Haifa','חיפה') and Budget gt 1000"},
	{"דרום ביתי", "City in ('באר שבע','אילת','Eilat')"},
	{"Everywhere Ltd", ""},
}

// sampleLeads are what the demo's site sends in, in turn.
var sampleLeads = []map[string]any{
	{"FirstName": "נועה", "LastName": "לוי", "Phone": "050-1234567", "Email": "noa@example.com", "City": "חיפה", "Budget": 5000, "UtmSource": "google"},
	{"FirstName": "Daniel", "LastName": "Cohen", "Phone": "+972 52 765 4321", "City": "Tel Aviv", "Budget": 1800},
	{"FirstName": "יעל", "LastName": "מזרחי", "Phone": "08-6271234", "City": "באר שבע", "Budget": 900, "הערה": "אחרי 17:00"},
	{"FirstName": "Maya", "LastName": "Peretz", "Phone": "054-5550123", "City": "Haifa", "Budget": 3200, "UtmSource": "facebook"},
	{"FirstName": "Omer", "LastName": "Katz", "Phone": "03-5551234", "City": "Haifa", "Budget": 400, "Roof": "flat"},
}

// sampleReports are what the stand-in CRM reports, in turn.
var sampleReports = []map[string]any{
	{"ReasonID": 3, "Comment": "לא ענה"},
	{"ReasonID": 2, "Comment": "Talked; wants a quote"},
	{"ReasonID": 5, "Comment": "נקבעה פגישה ליום ראשון"},
}
